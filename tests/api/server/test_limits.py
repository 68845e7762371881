from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
_PROGRAM = """
import resource, sys
from api.server.limits import most_connections, raise_descriptors
soft, hard, wanted = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
raise_descriptors()
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0], most_connections(wanted))
"""


@pytest.mark.parametrize(
    ("soft", "hard", "wanted", "raised", "most"),
    [
        (256, 1024, 8192, 1024, 624),
        (256, 1024, 100, 1024, 100),
        (128, 128, 8192, 128, 64),
        (1024, 4096, 3000, 4096, 3000),
    ],
)
def test_as_many_as_the_system_allows_with_some_kept_back(
    soft: int, hard: int, wanted: int, raised: int, most: int
) -> None:
    command = [sys.executable, "-c", _PROGRAM, str(soft), str(hard), str(wanted)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert [int(word) for word in run.stdout.split()] == [raised, most]
