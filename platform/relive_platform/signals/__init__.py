"""What workers recorded, on its way: received, processed, written to the store and sent over OTLP."""
