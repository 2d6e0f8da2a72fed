"""Heaps that are looked at: analysed once, in a process of their own."""
