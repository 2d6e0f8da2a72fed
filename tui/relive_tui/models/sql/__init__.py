"""Queries that somebody types: completing them, showing and writing their results."""
