"""Scripts that reproduce results of the paper."""
