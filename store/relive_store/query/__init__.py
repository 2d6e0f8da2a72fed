"""What a query may be, and what the engines answer to one that is wrong."""
