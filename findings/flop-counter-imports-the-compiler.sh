#!/bin/sh
# torch 2.13.0: counting the operations of one linear layer imports torch's compiler.
#
# Expected: torch.utils.flop_counter.FlopCounterMode listens to operators and adds up formulas; counting those of one
#   nn.Linear in eager mode needs nothing of torch.compile.
# Seen: entering the mode imports torch._dynamo and sympy with it, over 500 modules more and about a second of processor
#   time, in every process that counts once. Importing torch.utils.flop_counter alone does not.
# What to do: where a program counts rarely, count in eager mode with torch._dynamo kept out, or count in advance.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'END'
import sys
import time

import torch
from torch.utils.flop_counter import FlopCounterMode

assert torch.__version__.split("+")[0] == "2.13.0", torch.__version__
assert "torch._dynamo" not in sys.modules, "changed: torch itself imports its compiler"
layer, images = torch.nn.Linear(4, 2), torch.zeros(1, 4)
before, began = len(sys.modules), time.process_time()
with FlopCounterMode(display=False) as counter:
    layer(images)
modules, seconds = len(sys.modules) - before, time.process_time() - began
print(f"torch {torch.__version__}: {counter.get_total_flops()} operations counted, {modules} modules imported, {seconds:.2f} s")
assert counter.get_total_flops() == 16
assert "torch._dynamo" in sys.modules, "changed: the compiler is no longer imported"
assert "sympy" in sys.modules, "changed: sympy is no longer imported"
assert modules > 500, "changed: it imports far less"
END
