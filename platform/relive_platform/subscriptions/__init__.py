"""Records that functions want to hear of: what they want, and how matching ones get from the collector to the
queue."""
