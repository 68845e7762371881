"""What a run leaves: report, model card, curves, provenance.

result       what a phase leaves behind
report       report.json
writer       all of them into the run's folder
advice       why distillation did not help, and what to try next
seed_spread  how much differences varied between seeds
model_card   MODEL_CARD.md
curves       metrics.csv, curves.png, TensorBoard logs
provenance   environment.json
"""
