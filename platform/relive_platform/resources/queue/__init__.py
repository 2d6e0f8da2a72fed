"""Queues of messages that functions and other programs send, and that are received until they are deleted."""
