"""Networks at work: built, loaded, saved, compiled, measured.

network         a network with what it needs to be used, and its file
build           a name and parameters to a module with fresh weights
load            teachers from files
cache           trained networks, found again by hash
outputs         answers on a split, batch by batch
features        feature maps of the stages
compile         torch.compile for teachers
fold_batchnorm  BatchNorm folded into convolutions
cost            parameters, operations, bytes, latency
"""
