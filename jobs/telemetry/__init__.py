"""Logs, metrics, spans, and the trace of a job from POST to its trainer."""
