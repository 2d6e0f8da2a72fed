"""ASGI: many requests at once in one event loop."""
