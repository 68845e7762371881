"""The worker: claims a job, runs the engine as a child process, reports, publishes.

Start at `attempt/execute.py` (claim -> run -> publish -> finish); `attempt/trainer_main.py` is the child's side,
`attempt/trainer_process.py` the supervisor's handle on it.
"""
