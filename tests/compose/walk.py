"""docs/deploy.md, word by word, in a fresh clone: every command runs, and prints what the page says."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from standalone.service import free_port
from tests.compose.engine import ROOT, Failed, run, take_away, wheels
from tests.docs import blocks

_SECONDS = 3600


def walk(folder: Path) -> None:
    """Raises Failed where a command fails or prints something else; what was made is removed."""
    run("git", "clone", "--quiet", str(ROOT), str(folder))
    name, port = f"kdwalk{secrets.token_hex(4)}", free_port("127.0.0.1", 0)
    # beside what the page says: names and a port of its own, and wheels where this machine keeps them
    env = {key: value for key, value in os.environ.items() if not key.startswith(("KD_", "COMPOSE_"))}
    env |= {
        "COMPOSE_PROJECT_NAME": name,
        "KD_VERSION": name,
        "KD_PUBLISH": f"127.0.0.1:{port}",
        "KD_WHEELS": wheels() or "./wheels",
    }
    try:
        pairs = blocks.run(folder / "docs" / "deploy.md", folder, env, f"http://127.0.0.1:{port}", _SECONDS)
    except AssertionError as error:
        raise Failed(str(error)) from error
    finally:
        take_away(folder, name)
    for promised, printed in pairs:
        if not blocks.agrees(promised, printed):
            raise Failed(f"docs/deploy.md promises:\n{promised}\nand what came is:\n{printed}")
