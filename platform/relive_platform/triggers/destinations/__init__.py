"""Where the outcome of an asynchronous event goes: to a function, a queue, a bus or a webhook."""
