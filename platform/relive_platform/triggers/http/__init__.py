"""HTTP in front of the functions. Nothing that administers is reachable here."""
