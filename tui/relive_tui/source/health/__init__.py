"""How functions and the platform are doing, and the alerts on that."""
