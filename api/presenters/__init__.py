"""What the database holds, as the answers show it."""
