"""The networks, one family a file. `kd_engine/catalog/models/` has a row for each; `kd_engine/build.py` builds them.

Shapes, in every file: B images in the batch, C channels, H and W pixels, K classes.
"""
