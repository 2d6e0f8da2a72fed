"""Several gateway processes at one address: `relive serve --gateways N`."""
