"""The code blocks of a Markdown file: found, run as one shell session, and compared with what the file says they print.

A file's blocks mean:

    ```bash      run, in order, in one shell; a `python` block without a title runs there too
    ```text      what the last of them printed; a line `...` stands for any lines
    ```sh        not run here: what starts a service or makes `.venv`, which other tests do

What differs from one run to the next (ids, times, checksums, measured numbers) is masked before the comparison.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ADDRESS = "http://127.0.0.1:8000"
_FENCE = re.compile(r"^```(\w+)(?: title=\"([^\"]+)\")?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MARK = "@@@ block"
_VOLATILE = (
    (r"(job|ds|mdl)_[0-9A-Z]{26}", "ID"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"),
    (r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", "TIME"),
    (r"[0-9a-f]{64}", "SHA256"),
    (r"sha-256=:[^:]+:", "DIGEST"),
    (r'"trace_id": "[0-9a-f]{32}"', '"trace_id": "TRACE"'),
    (r'"next_page_token": "[^"]+"', '"next_page_token": "TOKEN"'),
    (r'"verdict": "[^"]+"', '"verdict": "VERDICT"'),
    (r"There is no evidence that distillation helped or hurt|Distillation (helped|hurt)", "SUMMARY"),
    (r"[\d,]+ of the (?=[\d,]+ test images)", "SOME of the "),
    (r"[+-]?\d+\.\d+(e[+-]?\d+)?", "NUMBER"),
    (r"\b\d{1,3}(,\d{3})+\b|\b\d{4,}\b", "NUMBER"),  # sizes and rates
)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the file that its title names, and what is in it."""

    language: str
    title: str
    text: str


def blocks(path: Path) -> list[Block]:
    """The fenced blocks of a Markdown file, in order."""
    return [Block(language, title or "", text) for language, title, text in _FENCE.findall(path.read_text())]


def run(
    path: Path, folder: Path, env: Mapping[str, str], address: str = ADDRESS, seconds: float = 280
) -> list[tuple[str, str]]:
    """Runs a file's `bash` and `python` blocks in `folder`, in one shell that ends at the first failure.

    Returns:
        What the file says that a block prints, and what it printed, both masked, for every block with such a promise.
    """
    found = [Block(block.language, block.title, block.text.replace(ADDRESS, address)) for block in blocks(path)]
    commands = [block for block in found if block.language in {"bash", "python"} and not block.title]
    script = "".join(f"echo '{_MARK}'\n{_as_shell(block)}\n" for block in commands)
    command = ["bash", "-eu", "-c", script]
    done = subprocess.run(
        command, cwd=folder, env=dict(env), capture_output=True, text=True, timeout=seconds, check=False
    )
    assert done.returncode == 0, f"{path.name}, exit status {done.returncode}:\n{done.stdout}\n{done.stderr}"
    printed = done.stdout.split(f"{_MARK}\n")[1:]
    assert len(printed) == len(commands)
    pairs: list[tuple[str, str]] = []
    number = -1
    for block in found:
        if block in commands:
            number += 1
        elif block.language == "text" and number >= 0:
            pairs.append((masked(block.text), masked(printed[number])))
    return pairs


def _as_shell(block: Block) -> str:
    if block.language == "bash":
        return block.text
    return f".venv/bin/python - <<'END_OF_PYTHON'\n{block.text}END_OF_PYTHON"


def masked(text: str) -> str:
    """`text` without what differs from one run to the next."""
    for pattern, word in _VOLATILE:
        text = re.sub(pattern, word, text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def agrees(promised: str, printed: str) -> bool:
    """Whether `printed` is what was promised, `...` lines standing for anything."""
    parts = re.split(r"(?:^|\n)[ \t]*\.\.\.[ \t]*(?=\n|$)", promised)
    return re.fullmatch(".*".join(re.escape(part) for part in parts), printed, re.DOTALL) is not None
