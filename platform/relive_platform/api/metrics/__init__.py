"""Metrics for those who scrape them: Prometheus, and whatever reads its format."""
