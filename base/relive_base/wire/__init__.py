"""What travels between our processes: `messages`, their `framing`, the `ring` of memory, and the `sink` that
fills both."""
