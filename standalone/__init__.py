"""The whole service on one machine, with nothing to install or configure: Redis, api and worker under one supervisor.

`distillery serve` (or `python -m standalone serve`) runs it until Ctrl-C; `python -m standalone demo` sends one real
job through it. The api and the worker are started as processes and spoken to over HTTP; this room imports neither.
"""
