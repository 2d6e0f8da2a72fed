"""What is kept of a failure, wherever in the process it happens."""
