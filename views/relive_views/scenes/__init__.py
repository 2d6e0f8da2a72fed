"""A failure scene as every face shows it."""
