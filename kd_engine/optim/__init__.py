"""Optimisers and learning-rate schedules. Importing them never imports torch."""
