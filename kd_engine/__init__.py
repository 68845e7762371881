"""kd_engine: a job spec in, a trained student out.

The library knows nothing of the web, of queues or of databases. Start at `spec.JobSpec` (what is asked),
`entry.run` (what happens), `trainer` (the one training loop) and `losses/kl.py` (what a method looks like).
"""
