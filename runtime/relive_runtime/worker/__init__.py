"""The user's process: one function version for life, one invocation at a time."""
