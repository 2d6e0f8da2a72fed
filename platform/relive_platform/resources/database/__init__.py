"""Databases as resources: an SQLite file in the home, or a PostgreSQL of others."""
