"""Event buses as resources: a name, which applications declare."""
