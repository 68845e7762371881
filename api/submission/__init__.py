"""A new job on its way in: references resolved, files received, checks that need more than the spec."""
