"""What is measured of a finished network; `tasks/` has what depends on what it was trained for.

details.py    all of it as JSON data
again.py      a finished network, measured again from its file
"""
