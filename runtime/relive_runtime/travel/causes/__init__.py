"""Where a bad value came from: a run's values, step by step, and the way back through them."""
