"""A clean interpreter that has imported a dependency set and forks workers."""
