"""What a user's program imports: the resources of the HTTP API and a client. No torch, no database, no server."""
