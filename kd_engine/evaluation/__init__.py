"""What is measured of a finished network; `tasks/` has what depends on what it was trained for.

logits.py     the network's outputs on a split, batch by batch, kept where they fit
cost.py       parameters, operations, bytes, latency
details.py    all of it as JSON data
again.py      a finished network, measured again from its file
"""
