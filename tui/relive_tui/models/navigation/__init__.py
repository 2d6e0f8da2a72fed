"""What is looked at, how one moves, and what can be typed."""
