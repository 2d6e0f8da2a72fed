"""Triggers that ask other people's servers for records: one connector for each kind, one way in for all."""
