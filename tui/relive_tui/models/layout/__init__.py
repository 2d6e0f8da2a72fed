"""Text, numbers and columns in terminal cells."""
