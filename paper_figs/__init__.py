"""The figures of each paper and of its proof."""
