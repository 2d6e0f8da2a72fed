"""A home for coding agents, over the Model Context Protocol: what failed and why, what a fix makes of it.

`server` and `serving` speak the protocol; the others know nothing of it.
"""
