"""From a forked process to one that has loaded the function."""
