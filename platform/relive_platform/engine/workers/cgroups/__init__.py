"""The kernel's own limits on what a worker and all it has started may hold: cgroups, version 2 or 1."""
