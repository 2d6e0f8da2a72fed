"""The composition root: settings become rooms, started in order and stopped in reverse; the home; status."""
