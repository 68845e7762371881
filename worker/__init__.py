"""The worker: claims a job, runs the engine as a child process, reports, publishes.

Start at `execute.py` (claim -> run -> publish -> finish); `process.py` is the child's side, `trainer_process.py` the
supervisor's handle on it.
"""
