"""What the store has not got yet: taken at once, kept on disk, delivered in order."""
