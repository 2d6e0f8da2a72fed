"""gRPC services: the application's own server, in the worker; each call is an attempt."""
