"""In a process of its own, started for each scene: it is redacted, packed and delivered there."""
