"""Alerts: what `relive.toml` has Relive watch, and what is done when it goes wrong."""
