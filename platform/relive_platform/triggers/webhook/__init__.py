"""Webhooks: requests whose signature says who sent them."""
