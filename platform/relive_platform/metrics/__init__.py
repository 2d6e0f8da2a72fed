"""What the platform measures of itself and of the functions, in this process and as plain data."""
