"""Where a teacher's answers come from.

base      what every teacher is: `answers(batch) -> Outputs`
network   a trained network that teaches, folded once a run
live      computed for each batch; a network of recorded logits finds them there
shared    asked once a batch by several students
cached    found in the store of its logits (store), computed where they are missing
factory   which of them a training gets
"""
