"""Hardware and its costs: the ground floor, which knows nothing of search."""
