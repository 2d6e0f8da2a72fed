"""What is typed after a command: durations, headers, and what TAB offers."""
