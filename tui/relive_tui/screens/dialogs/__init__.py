"""Screens that are laid over another one, and give an answer."""
