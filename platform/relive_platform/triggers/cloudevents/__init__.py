"""CloudEvents 1.0 by HTTP: binary, structured and batched."""
