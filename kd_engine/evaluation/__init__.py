"""Everything that is measured of a finished network, in one pass over the test split.

logits.py     the network's outputs on a split, batch by batch, kept where they fit
outcomes.py   what it said of each image: class, confidence, loss; and what the teacher would have said
measures.py   numbers made of that: calibration, per-class table, confusions
cost.py       parameters, operations, bytes, latency
details.py    all of it as JSON data
picture.py    the confusion matrix as a picture
again.py      a finished network, measured again from its file
"""
