"""Commands on health: metrics, alerts, the store."""
