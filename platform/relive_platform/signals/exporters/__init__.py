"""Where signals go. An exporter never waits and never raises: what it cannot take it counts."""
