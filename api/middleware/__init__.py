"""What every request passes: authentication, origins, the trace, the access log."""
