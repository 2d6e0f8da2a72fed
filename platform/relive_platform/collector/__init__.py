"""Takes what workers recorded and brings it to the store, in a process of its own."""
