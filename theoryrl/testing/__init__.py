"""The pytest plugin, worlds for mutants, Hypothesis strategies."""
