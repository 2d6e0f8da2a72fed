"""A trace on the screen: its spans, and the waterfall that shows them."""
