"""Files whose commits are on the disk before anybody is told."""
