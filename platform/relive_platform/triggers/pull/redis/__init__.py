"""Redis streams, by a consumer group."""
