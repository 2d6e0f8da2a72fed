"""Where the time went: hot lines, trees of calls."""
