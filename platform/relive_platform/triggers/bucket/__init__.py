"""Objects created and removed in buckets."""
