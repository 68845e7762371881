"""`python -m worker.pulse`: what manifests of earlier versions call; now `python -m worker.liveness_file`."""

from __future__ import annotations

import sys

from worker.liveness_file import main

if __name__ == "__main__":
    sys.exit(main())
