"""In the process of the application: what is recorded of it, and how a scene leaves it. The standard library,
msgspec and the record sides only."""
