"""SQS's API on the queues of a home."""
