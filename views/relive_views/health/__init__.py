"""How functions and the platform are doing: rates, errors, durations, and what is wrong with them."""
