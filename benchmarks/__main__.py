"""`python -m benchmarks [NAME ...]`: runs the benchmarks of this folder, all of them by default."""

from __future__ import annotations

import importlib
import sys

NAMES = (
    "training", "mnist", "overhead", "together", "api", "strangers", "download", "start", "sending", "scaling",
    "verdicts", "job_path", "sweep",
)  # fmt: skip


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        print(f"unknown benchmark {', '.join(unknown)}; known: {', '.join(NAMES)}", file=sys.stderr)
        return 2
    for name in names or NAMES:
        importlib.import_module(f"benchmarks.{name}").run()
        print()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
