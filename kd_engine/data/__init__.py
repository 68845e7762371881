"""Data sets, splits, batches and downloads. Importing this package alone never imports torch.

`dataset.load` is the way in; `readers/` has a file for each publisher.
"""
