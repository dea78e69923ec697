"""The measures that bounds are stated in."""

from theoryrl.complexity.gec import Gec, brute_force_gec, cellwise_gec, linear_gec, model_gec, paper_gec, realised_gec, squared_hellinger, value_gec

__all__ = ["Gec", "brute_force_gec", "cellwise_gec", "linear_gec", "model_gec", "paper_gec", "realised_gec", "squared_hellinger", "value_gec"]
