"""Small files in the publishers' formats, and a web server that hands files out."""

from __future__ import annotations

import functools
import gzip
import hashlib
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kd_engine.catalog import DATASETS
from kd_engine.data.readers import cifar, mnist

TRAIN, TEST = 40, 20  # images of the small MNIST
PER_FILE = 20  # images in a file of the small CIFAR-10


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def idx(array: NDArray[np.uint8]) -> bytes:
    return struct.pack(f">{1 + array.ndim}I", 0x0800 + array.ndim, *array.shape) + array.tobytes()


@dataclass
class SmallMnist:
    """A little MNIST: its arrays, and its files by name, unzipped and zipped."""

    folder: Path
    arrays: dict[str, NDArray[np.uint8]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)

    def lay(self, *, zipped: bool) -> None:
        """Writes the files of one layout where the catalogue looks for them."""
        for name in self.arrays:
            self.write(name + ".gz" if zipped else name)

    def write(self, name: str, content: bytes | None = None) -> Path:
        path = self.folder / "MNIST" / "raw" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.files[name] if content is None else content)
        return path


@pytest.fixture
def small_mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallMnist:
    """A little MNIST that the reader takes for the published one."""
    random = np.random.default_rng(0)
    made = SmallMnist(tmp_path)
    for part, count in (("train", TRAIN), ("t10k", TEST)):
        made.arrays[f"{part}-images-idx3-ubyte"] = random.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        made.arrays[f"{part}-labels-idx1-ubyte"] = random.permutation(np.arange(count, dtype=np.uint8) % 10)
    for name, array in made.arrays.items():
        made.files[name] = idx(array)
        made.files[f"{name}.gz"] = gzip.compress(idx(array), mtime=0)
    monkeypatch.setattr(mnist, "COUNTS", {"train": TRAIN, "t10k": TEST})
    monkeypatch.setattr(mnist, "MD5", {name: md5(content) for name, content in made.files.items()})
    monkeypatch.setitem(DATASETS, "mnist", replace(DATASETS["mnist"], train=TRAIN, test=TEST, validation=10))
    return made


def python2_pickle(data: NDArray[np.uint8], labels: list[int], key: bytes = b"labels") -> bytes:
    """The bytes that Python 2 wrote for {'data': data, 'labels': labels}, as in the publisher's files."""

    def text(value: bytes) -> bytes:
        return b"U" + bytes([len(value)]) + value

    def number(value: int) -> bytes:
        return b"J" + struct.pack("<i", value)

    reconstruct = (
        b"cnumpy.core.multiarray\n_reconstruct\n" + b"cnumpy\nndarray\n" + b"K\x00\x85" + text(b"b") + b"\x87R"
    )
    dtype = (
        b"cnumpy\ndtype\n" + text(b"u1") + b"K\x00K\x01\x87R(K\x03" + text(b"|") + b"NNN" + number(-1) * 2 + b"K\x00tb"
    )
    content = data.tobytes()
    shape = number(data.shape[0]) + number(data.shape[1]) + b"\x86"
    state = b"(K\x01" + shape + dtype + b"\x89T" + struct.pack("<i", len(content)) + content + b"tb"
    items = b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    return b"\x80\x02}(" + text(b"data") + reconstruct + state + text(key) + items + b"u."


@dataclass
class SmallCifar:
    """A little CIFAR-10: pixels [N, 3072] and labels a batch, and the files of both layouts by name."""

    folder: Path
    batches: dict[str, tuple[NDArray[np.uint8], list[int]]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)

    def lay(self, *, binary: bool) -> None:
        for name in self.batches:
            self.write(name + ".bin" if binary else name)

    def write(self, name: str, content: bytes | None = None) -> Path:
        folder = "cifar-10-batches-bin" if name.endswith(".bin") else "cifar-10-batches-py"
        path = self.folder / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.files[name] if content is None else content)
        return path


@pytest.fixture
def small_cifar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallCifar:
    """A little CIFAR-10 that the reader takes for the published one."""
    random = np.random.default_rng(0)
    made = SmallCifar(tmp_path)
    for name in cifar.CIFAR10.python_md5:
        pixels = random.integers(0, 256, (PER_FILE, 3072), dtype=np.uint8)
        labels = random.permutation(np.arange(PER_FILE) % 10).tolist()
        made.batches[name] = (pixels, labels)
        made.files[name] = python2_pickle(pixels, labels)
        made.files[f"{name}.bin"] = np.column_stack([np.array(labels, np.uint8), pixels]).tobytes()
    small = replace(
        cifar.CIFAR10,
        counts=dict.fromkeys(made.batches, PER_FILE),
        python_md5={name: md5(made.files[name]) for name in made.batches},
        binary_md5={f"{name}.bin": md5(made.files[f"{name}.bin"]) for name in made.batches},
    )
    monkeypatch.setattr(cifar, "CIFAR10", small)
    row = replace(DATASETS["cifar10"], train=5 * PER_FILE, test=PER_FILE, validation=20)
    monkeypatch.setitem(DATASETS, "cifar10", row)
    return made


@dataclass
class Answer:
    """What a path is answered with; `announced` is the length that the header claims."""

    content: bytes = b""
    status: int = 200
    announced: int | None = None


@dataclass
class Mirror:
    """A web server on a free loopback port; `asked` collects the paths that were asked for."""

    url: str
    answers: dict[str, Answer]
    asked: list[str]


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, answers: dict[str, Answer], asked: list[str], *arguments: Any) -> None:
        self._answers, self._asked = answers, asked
        super().__init__(*arguments)

    def do_GET(self) -> None:
        self._asked.append(self.path)
        answer = self._answers.get(self.path, Answer(status=404))
        self.send_response(answer.status)
        self.send_header("Content-Length", str(len(answer.content) if answer.announced is None else answer.announced))
        self.end_headers()
        self.wfile.write(answer.content)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Quiet."""


@pytest.fixture
def mirror() -> Iterator[Callable[..., Mirror]]:
    """Starts a mirror that gives these answers by path, and 404 for the rest."""
    servers: list[tuple[ThreadingHTTPServer, threading.Thread]] = []

    def start(**contents: Answer | bytes) -> Mirror:
        asked: list[str] = []
        answers = {f"/{name}": Answer(made) if isinstance(made, bytes) else made for name, made in contents.items()}
        server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, answers, asked))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        servers.append((server, thread))
        return Mirror(f"http://127.0.0.1:{server.server_port}/", answers, asked)

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()
