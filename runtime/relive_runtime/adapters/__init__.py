"""From an event to a call of the handler, and from what it returns to an answer."""
