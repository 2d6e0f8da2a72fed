"""WSGI: many requests at once, each in a thread."""
