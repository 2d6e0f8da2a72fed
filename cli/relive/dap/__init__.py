"""The Debug Adapter Protocol: an editor looks at a failure, and goes back from it."""
