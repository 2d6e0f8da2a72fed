"""How each host is recorded: AWS Lambda, ASGI and WSGI servers, Celery, scripts."""
