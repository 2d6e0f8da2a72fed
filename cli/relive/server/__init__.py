"""Running a server, and asking one for something."""
