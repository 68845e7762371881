"""Runs a job, a kind a file.

entry           the way in, for the service and the command
work            what one process of a run does
context         what a run of any kind is given besides its spec
distill         a distillation: teacher, student alone, distilled student, and the report that compares them
sweep           many students of one question, and the report that corrects for their number
plan            its trainings as nodes; sweep_plan those of a sweep, and which of them see the same batches
plan_runner     walks the nodes, and keeps the checkpoint of the run; sweep_runner of a sweep
node_runner     one node: given, cached or trained, then measured; group_runner several at once
evaluate        a finished network, measured again
check_dataset   a data set that was sent
register_model  a network that was sent
resume          what a run goes on from
preflight       what can be seen of the networks before anything is trained
memory_check    whether they fit into the device's memory
forecast        how long they will take; speed_trial tries copies out
launcher        the processes of a run on several devices; rank_main is one of them
"""
