"""Messages of queues, in batches: from a queue to a function, and what became of each back to the queue."""
