"""Event buses: what is put on one goes to each function whose pattern fits."""
