"""The control API: gRPC on loopback, its server side and its client."""
