"""What folders of runs and sweeps say: an overview, a page for each, and comparisons."""
