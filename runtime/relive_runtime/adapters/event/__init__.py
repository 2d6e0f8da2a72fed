"""Event functions: `handler(event, context)`, as on AWS Lambda."""
