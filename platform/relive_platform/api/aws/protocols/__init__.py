"""How a service's requests and answers are written on the wire: each protocol of the models is a module."""
