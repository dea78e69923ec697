"""Exact implementations of provable reinforcement-learning and online-learning algorithms, with proofs as tests."""

__version__ = "0.1.0"
