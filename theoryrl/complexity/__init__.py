"""The measures that bounds are stated in."""

from theoryrl.complexity.collection import collection_time_lower_bound, known_model_collection_time, uniform_collection_is_exact, uniform_collection_time
from theoryrl.complexity.gec import Gec, brute_force_gec, cellwise_gec, linear_gec, model_gec, paper_gec, realised_gec, squared_hellinger, value_gec

__all__ = [
    "Gec", "brute_force_gec", "cellwise_gec", "collection_time_lower_bound", "known_model_collection_time", "linear_gec", "model_gec", "paper_gec",
    "realised_gec", "squared_hellinger", "uniform_collection_is_exact", "uniform_collection_time", "value_gec",
]  # fmt: skip
