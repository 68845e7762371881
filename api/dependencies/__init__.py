"""What the routes are handed: the parts of the running service."""
