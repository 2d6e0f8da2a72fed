"""A profile on the screen: the flame graph and the lines it is made of."""
