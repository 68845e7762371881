"""Intervals and tests of differences between networks, for any metric."""
