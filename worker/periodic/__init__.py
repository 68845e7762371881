"""What each worker does from time to time: reap lost leases, collect garbage, send webhooks."""
