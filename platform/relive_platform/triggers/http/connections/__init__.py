"""HTTP/1.1 on sockets: connections, the requests that come on them, and what goes back."""
