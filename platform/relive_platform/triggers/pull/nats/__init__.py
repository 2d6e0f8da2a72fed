"""NATS JetStream, by a durable consumer."""
