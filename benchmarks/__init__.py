"""Benchmarks. Each prints a ratio against a baseline that runs in turns with it on the same machine.

python -m benchmarks            all of them
python -m benchmarks training   one of them
"""
