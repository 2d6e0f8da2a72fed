"""What is done outside of the screens: commands, the clipboard, files."""
