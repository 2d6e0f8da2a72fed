"""What was recorded, as commands look it up: names, listings, scenes."""
