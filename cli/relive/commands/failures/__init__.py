"""Commands that show why something failed."""
