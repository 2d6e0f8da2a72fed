"""What an invocation may use: time and memory."""
