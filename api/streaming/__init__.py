"""Answers that take long: files, whole or in part, and event streams."""
