"""The networks, one family a file. `kd_engine/catalog/models/` has a row for each.

Shapes, in every file: B images in the batch, C channels, H and W pixels, K classes.
"""
