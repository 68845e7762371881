"""The processes that train one network together.

world       a process that is alone, and what several exchange
joined      several processes, over NCCL and gloo
batch_norm  BatchNorm over a batch that lies in parts on several processes
"""
