"""What can be looked at: a scene, a process that failed, a run that can be gone back in."""
