"""ClickHouse's native format: columns to bytes and back."""
