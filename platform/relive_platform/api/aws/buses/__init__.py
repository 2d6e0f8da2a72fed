"""EventBridge's API on the server's event buses."""
