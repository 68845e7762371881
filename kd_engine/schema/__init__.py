"""The documents that engine, service and clients exchange, as versioned pydantic models. Nothing here imports torch."""
