"""Scenes from elsewhere: checked, and brought into the home."""
