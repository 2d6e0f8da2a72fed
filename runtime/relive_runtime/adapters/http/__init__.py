"""HTTP functions: `handler(request)`, as under functions-framework."""
