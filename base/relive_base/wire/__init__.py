"""What travels between our processes: `messages`, the `framing` of all of it, the `ring` of memory, and the
`sink` that fills it."""
