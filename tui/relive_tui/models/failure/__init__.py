"""A failure on the screen: its stacks, frames, values, event, and what can be done with it."""
