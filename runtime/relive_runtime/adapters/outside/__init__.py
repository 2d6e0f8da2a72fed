"""What was recorded outside of Relive, called again."""
