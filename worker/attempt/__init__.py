"""One attempt at a job, from the claim to its end. Start at `execute.py`."""
