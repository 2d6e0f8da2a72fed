"""Worker processes as the server sees them, and the zygotes that fork them."""
