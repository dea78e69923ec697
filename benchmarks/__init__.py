"""Speed against a naive version, against a peer, and against the hardware's limit: ``python -m benchmarks.<paper>``."""
