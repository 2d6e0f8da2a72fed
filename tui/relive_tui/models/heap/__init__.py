"""A heap on the screen: tree, path to what holds it, growth, filter."""
