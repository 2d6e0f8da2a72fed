"""Runs in the server, the CLI or the terminal UI: rows for the store, queries, span trees, OTLP export."""
