"""Functions that call functions."""
