"""One read model of what happened, for every face: names and short ids, functions, invocations, failures,
hot lines. Views read the store and the registry; faces read views."""
