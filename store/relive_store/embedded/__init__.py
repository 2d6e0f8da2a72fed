"""The engine inside a process: chDB."""
