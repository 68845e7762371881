"""What the doorbell is called, on both sides of the broker: the api rings it, a worker answers."""

TASK = "distillery.run_job"
QUEUE = "jobs"
