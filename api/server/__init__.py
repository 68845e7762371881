"""uvicorn, with bounds on what a connection may cost before it is known who asks."""
