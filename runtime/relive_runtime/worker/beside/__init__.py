"""Attempts that run beside each other in one worker: what a service's requests are."""
