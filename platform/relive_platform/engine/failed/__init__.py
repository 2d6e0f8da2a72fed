"""Workers that have failed: kept for a debugger, and their heaps."""
