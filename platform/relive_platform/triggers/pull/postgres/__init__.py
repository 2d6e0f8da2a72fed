"""Changes of PostgreSQL's tables, and rows of an outbox."""
