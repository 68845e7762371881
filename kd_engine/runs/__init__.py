"""Runs a job, a kind a file.

entry           the way in, for the service and the command
work            what one process of a run does
distill         the phases of a distillation: teacher, student alone, distilled student
evaluate        a finished network, measured again
check_dataset   a data set that was sent
register_model  a network that was sent
preflight       what can be seen of the networks before anything is trained
memory_check    whether they fit into the device's memory
speed_trial     how fast they are, tried out on copies
launcher        the processes of a run on several devices; rank_main is one of them
"""
