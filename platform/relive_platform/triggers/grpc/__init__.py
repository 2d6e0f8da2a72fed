"""gRPC in front of services: connections of HTTP/2 without TLS, spliced to the workers that serve them."""
