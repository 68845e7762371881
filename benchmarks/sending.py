"""What users send: an upload against a plain copy over the same connection, the check of a folder of photos against
Pillow alone, and an ONNX teacher against the same network in PyTorch.

The photos are `flower_photos` under KD_DATA_DIR where they are at hand, else pictures of noise.
"""

from __future__ import annotations

import io
import os
import socket
import sys
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
import torch
from PIL import Image

from benchmarks.as_trainer import cores, run_as_trainer
from benchmarks.service import Service, running
from benchmarks.turns import ROUNDS, Measured, in_turns
from kd_engine.exporters.base import Student
from kd_engine.exporters.onnx import Onnx
from kd_engine.intake.archive import Archive
from kd_engine.intake.folder_layout import lay_out
from kd_engine.intake.images import check_pictures
from kd_engine.intake.onnx_file import onnx_network
from kd_engine.models.foreign import ONNX
from kd_engine.networks.network import Architecture, Network, build
from kd_engine.platform.device import set_up

MEGABYTES = 200
PHOTOS = 1000  # where there are no real ones
_CPU = torch.device("cpu")
_BLOCK = 2**20
_TEACHER = "resnet56"
_BATCH, _BATCHES = 128, 8


def run() -> None:
    """Measures all three: the upload here, the others in a process with the environment that a trainer gets."""
    with running(worker=False) as service:
        upload(service, MEGABYTES, ROUNDS)
    run_as_trainer("benchmarks.sending", os.environ.get("KD_DATA_DIR", ""))


def upload(service: Service, megabytes: int, rounds: int) -> None:
    """The rates of an upload through the api (hashed, flushed, recorded) and of bytes that are written and flushed."""
    content = bytes(megabytes * 10**6)
    with tempfile.TemporaryDirectory() as folder, _sink(Path(folder) / "copy") as port:
        contestants = {
            "plain copy": lambda: _post(port, "/", content),
            "upload": lambda: _post(service.port, "/datasets", content),
        }
        measured = in_turns(contestants, rounds)
    print(f"sending {megabytes} MB, one client, medians of {rounds}")
    for name in measured.seconds:
        rate, ratio = megabytes / 1000 / measured.median(name), measured.speedup(name, "plain copy")
        print(f"  {name:<12} {rate:6.2f} GB/s  {ratio:5.2f}x" + ("  floor 0.5x" if name == "upload" else ""))


def _post(port: int, path: str, content: bytes) -> None:
    # a zip by its first bytes, which is all that the api looks at; never the same twice, or it would be recognised
    first = b"PK\x03\x04" + os.urandom(16)
    length = len(first) + len(content)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
        connection.sendall(head.encode() + first)
        connection.sendall(content)
        answer = b"".join(iter(lambda: connection.recv(_BLOCK), b""))
    if not answer.startswith(b"HTTP/1.1 201"):
        raise RuntimeError(f"the answer was {answer[:500]!r}")


@contextmanager
def _sink(path: Path) -> Iterator[int]:
    """A server that does nothing but write a body to a file and flush it; its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_serve, args=(server, path), daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


def _serve(server: socket.socket, path: Path) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection, connection.makefile("rb") as stream, path.open("wb") as file:
            length = 0
            while (line := stream.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.partition(b":")[2])
            _copy(stream, file, length)
            connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def _copy(stream: IO[bytes], file: IO[bytes], length: int) -> None:
    while length > 0:
        block = stream.read(min(_BLOCK, length))
        file.write(block)
        length -= len(block)
    file.flush()
    os.fsync(file.fileno())


def check_against_pillow(photos: list[bytes], folder: Path, rounds: int) -> Measured:
    """Seconds to have a zip of the photos ready for jobs, and to decode them all with Pillow on the same cores."""
    with zipfile.ZipFile(folder / "photos.zip", "w") as packed:
        for number, photo in enumerate(photos):
            packed.writestr(f"class {number % 5}/{number}.jpg", photo)

    def decode_all() -> None:
        with ThreadPoolExecutor(torch.get_num_threads()) as pool:
            list(pool.map(lambda photo: Image.open(io.BytesIO(photo)).convert("RGB").size, photos))

    def check() -> None:
        archive = Archive(folder / "photos.zip", is_tar=False)
        check_pictures(archive, lay_out(archive.members, 0.2), folder, broken="refuse")

    return in_turns({"Pillow alone": decode_all, "check": check}, rounds)


def photos(data_dir: str, count: int = PHOTOS) -> tuple[str, list[bytes]]:
    """What they are, and the photos: `count` of noise where there are no real ones."""
    real = sorted((Path(data_dir or "/nowhere") / "flower_photos").rglob("*.jpg"))
    if real:
        return "flower_photos", [path.read_bytes() for path in real]
    random = np.random.default_rng(0)
    made = []
    for _ in range(count):
        coarse = Image.fromarray(random.integers(0, 256, (18, 24, 3), dtype=np.uint8))
        file = io.BytesIO()
        coarse.resize((240, 180), Image.Resampling.BICUBIC).save(file, "JPEG", quality=90)
        made.append(file.getvalue())
    return "noise", made


def onnx_against_torch(folder: Path, rounds: int, batches: int = _BATCHES) -> Measured:
    """Seconds for the logits of some batches, by the network as a teacher is run (folded), and by its ONNX model."""
    torch.manual_seed(0)
    classes = tuple(f"class {label}" for label in range(10))
    network = build(Architecture(_TEACHER, {}, (3, 32, 32), classes, (0.5,) * 3, (0.25,) * 3))
    network.freeze()
    Onnx().write(Student(network, torch.empty(0)), folder / "teacher.onnx")
    images = [torch.randint(0, 256, (_BATCH, 3, 32, 32), dtype=torch.uint8) for _ in range(batches)]
    module, _ = onnx_network(folder / "teacher.onnx", images[0][:4].float() / 255, classes)
    params = module.params.model_dump(mode="json")
    sent = Network(Architecture(ONNX, params, (3, 32, 32), classes, (0.0,) * 3, (1.0,) * 3), module)
    folded = network.folded()

    def all_of(teacher: Network) -> Callable[[], None]:
        @torch.inference_mode()
        def work() -> None:
            for batch in images:
                teacher.logits(batch)

        return work

    return in_turns({"PyTorch": all_of(folded), "ONNX": all_of(sent)}, rounds)


def measure_all(data_dir: str, rounds: int = ROUNDS) -> None:
    """Prints what is measured in this process."""
    threads = set_up(_CPU, cores())
    what, given = photos(data_dir)
    with tempfile.TemporaryDirectory() as folder:
        checked = check_against_pillow(given, Path(folder), rounds)
        taught = onnx_against_torch(Path(folder), rounds)
    ratio = 1 / checked.speedup("check", "Pillow alone")
    print(f"{len(given):,} pictures ({what}), {threads} threads, medians of {rounds} rounds in turns")
    print(f"  Pillow alone {checked.median('Pillow alone'):6.2f} s")
    print(f"  check        {checked.median('check'):6.2f} s  {ratio:5.2f} times as long  at most 1.5")
    ratio = 1 / taught.speedup("ONNX", "PyTorch")
    rates = {name: _BATCH * _BATCHES / taught.median(name) for name in taught.seconds}
    print(f"{_TEACHER} as a teacher, float32, batch {_BATCH}")
    print(f"  PyTorch      {rates['PyTorch']:8,.0f} images/s")
    print(f"  ONNX         {rates['ONNX']:8,.0f} images/s  {ratio:5.2f} times as long  at most 1.5")


if __name__ == "__main__":
    measure_all(sys.argv[1])
