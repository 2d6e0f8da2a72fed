"""Commands that run functions."""
