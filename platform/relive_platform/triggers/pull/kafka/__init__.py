"""Kafka topics, by a consumer group."""
