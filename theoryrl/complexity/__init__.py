"""The measures that bounds are stated in."""
