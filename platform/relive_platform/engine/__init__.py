"""An event to a worker and its outcome back: dispatcher, a pool for each function version, supervision."""
