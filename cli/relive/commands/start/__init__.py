"""Commands for whoever begins: demo, tui, completion, doctor."""
