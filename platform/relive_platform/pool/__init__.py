"""Workers: the zygotes that fork them, the connection to each, and one pool for each function version."""
