"""Health by minute: of functions, and of the platform itself."""
