"""What goes along with code that runs elsewhere: the recorder, and nothing of the server."""
