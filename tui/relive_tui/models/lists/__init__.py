"""Long lists: their pages, filters and rows."""
