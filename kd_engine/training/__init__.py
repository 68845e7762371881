"""The one training loop and what it needs.

trainer     fit -> train_epoch -> train_step
group       students that see the same batches, side by side
objective   ce_weight * CE + sum of weight * loss(student, teacher)
callbacks   progress, checkpoints, wishes to stop
checkpoint  a tree of tensors and JSON values in one file
ema         the moving average of the weights
rng         random streams, by seed and name
eta         how much is done, and how long the rest takes
"""
