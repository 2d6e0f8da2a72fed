"""What is done with signals on their way: each a plain callable that changes a `Flow` in place."""
