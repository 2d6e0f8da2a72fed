"""botocore's service models, compiled: what reads and checks parameters, writes results, finds operations."""
