"""Makes the files of `made_by_5558133`, with the programs of that version and data made from a seed.

    git worktree add OLD 5558133 && cd OLD && PYTHONPATH=. python .../tests/compatibility/make.py FOLDER

A service of that version is asked over HTTP; its database becomes text, so that what is kept can be read and compared.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import numpy as np

PORT = 18733
JOB: dict[str, Any] = {
    "teacher": {"model": "mlp", "params": {"hidden": [8]}, "training": {"epochs": 2}},
    "student": {"model": "mlp", "params": {"hidden": [4], "dropout": 0.1}},
    "temperature": 3,
    "training": {"epochs": 2, "batch_size": 32},
    "export": [],
}
# long enough to be paused in the middle, in few epochs
LONG = JOB | {"name": "paused", "training": {"epochs": 24, "batch_size": 1}}
KEPT = ("dataset.npz", "manifest.json", "report.json", "spec.json", ".safetensors")  # pictures and logs are not read


def main(folder: Path) -> None:
    """Fills `folder`, which is not there yet."""
    home = folder / "home"
    settings = {"HOME": str(home), "PORT": str(PORT), "THREADS": "1", "DEVICE": "cpu", "CHECKPOINT_SECONDS": "0.5"}
    environment = os.environ | {f"KD_{name}": value for name, value in settings.items()}
    serve = subprocess.Popen([sys.executable, "-m", "standalone", "serve"], env=environment)
    try:
        _until(_ready)
        _fill()
    finally:
        serve.terminate()
        serve.wait(60)
    with sqlite3.connect(home / "distillery.db") as database:
        dump = "\n".join(database.iterdump()) + "\n"
        (folder / "database.sql").write_text(dump.replace(socket.gethostname(), "worker-1"))
    for file in (home / "artifacts").rglob("*"):
        if file.is_file() and file.name.endswith(KEPT):
            place = folder / file.relative_to(home)
            place.parent.mkdir(parents=True, exist_ok=True)
            file.rename(place)
    for older in sorted(folder.rglob("checkpoint-*"), key=lambda file: file.stat().st_mtime)[:-1]:
        older.unlink()
    shutil.rmtree(home)


def _fill() -> None:
    random = np.random.default_rng(7)
    labels_N = np.arange(90, dtype=np.int64) % 3
    images_NHW = random.integers(0, 120, (90, 6, 6), dtype=np.uint8)
    images_NHW[np.arange(90), labels_N * 2] += 120  # a bright row tells the class
    sent = io.BytesIO()
    np.savez_compressed(sent, images=images_NHW, labels=labels_N, classes=np.array(["top", "middle", "bottom"]))
    dataset = _ask("/datasets?name=rows", sent.getvalue())["id"]
    _until(lambda: _ask(f"/datasets/{dataset}")["state"] == "ready")
    trained = _ended(_ask("/jobs", JOB | {"dataset": dataset, "name": "trained", "repeats": 2}))
    student = _read(f"/jobs/{trained}/artifacts/student.safetensors")
    model = _ask(f"/models?name=sent&dataset={dataset}", student)["id"]
    _until(lambda: _ask(f"/models/{model}")["state"] == "ready")
    measured = {"kind": "evaluate", "dataset": dataset, "model": {"job": trained, "role": "student"}}
    _ended(_ask("/jobs", measured))
    paused = _ask("/jobs", LONG | {"dataset": dataset})["id"]
    _until(lambda: (_ask(f"/jobs/{paused}")["progress"] or {}).get("fraction", 0) > 0.6)
    _ask(f"/jobs/{paused}/pause", b"")
    _until(lambda: _ask(f"/jobs/{paused}")["state"] == "paused")


def _ended(job: dict[str, Any]) -> str:
    _until(lambda: _ask(f"/jobs/{job['id']}")["state"] == "succeeded")
    return str(job["id"])


def _ready() -> bool:
    try:
        return bool(_ask("/readyz")["status"])
    except OSError:
        return False


def _until(condition: Any) -> None:
    for _ in range(600):
        if condition():
            return
        time.sleep(0.2)
    raise TimeoutError(str(condition))


def _ask(path: str, body: dict[str, Any] | bytes | None = None) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_read(path, body))
    return found


def _read(path: str, body: dict[str, Any] | bytes | None = None) -> bytes:
    data = json.dumps(body).encode() if isinstance(body, dict) else body
    kind = "application/json" if isinstance(body, dict) else "application/octet-stream"
    headers = {"Content-Type": kind, "Accept": "application/json, application/octet-stream"}
    with urlopen(Request(f"http://127.0.0.1:{PORT}{path}", data=data, headers=headers)) as answer:
        content: bytes = answer.read()
        return content


if __name__ == "__main__":
    main(Path(sys.argv[1]))
