"""What functions use beside each other and keep data in: one folder for each kind of resource."""
