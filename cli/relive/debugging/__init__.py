"""A session with a debugger, from the terminal's side."""
