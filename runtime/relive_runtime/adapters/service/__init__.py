"""Services: applications of ASGI or WSGI, as they are."""
