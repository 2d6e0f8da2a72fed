"""Watches workers from outside: memory, deadlines, deaths."""
