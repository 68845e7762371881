"""The command `distillery`, and what it shows in a terminal."""
