"""`relive demo`: a small shop with real functions, real events and real failures."""
