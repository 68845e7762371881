"""Data sets, splits, batches and downloads. Importing this package alone never imports torch.

`dataset.load` is the way in; `mnist`, `cifar` and `digits` read what a publisher's files hold.
"""
