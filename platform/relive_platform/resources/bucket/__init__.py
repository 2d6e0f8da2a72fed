"""Buckets: a folder whose files are objects; what is new, changed or gone in it is told, once, across
restarts."""
