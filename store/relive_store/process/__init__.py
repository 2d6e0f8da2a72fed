"""The store process: started, spoken to, and asked by several at once."""
