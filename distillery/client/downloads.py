"""Files of a job: fetched in pieces, gone on with where a connection broke, and compared with the listed sha256."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import httpx2

from distillery.client.transport import Transport, path_of
from distillery.errors import DistilleryError, DownloadDamaged, Unavailable
from distillery.resources import ArtifactList, ArtifactView

_CHUNK = 2**20  # bytes


def download(transport: Transport, job: str, name: str, target: str | Path) -> Path:
    """See `Job.download`; `job` is its path."""
    listed = {one.name: one for one in transport.get(f"{job}/artifacts", ArtifactList).artifacts}
    if name not in listed:
        raise FileNotFoundError(f"the job has no file '{name}'; it has: {', '.join(sorted(listed)) or 'none yet'}")
    wanted = listed[name]
    path = _place(target, name)
    if path.is_file() and path.stat().st_size == wanted.size and _sha256(path) == wanted.sha256:
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    # the name says of which content it is the beginning: that of another is never gone on with
    part = path.with_name(f".{path.name}.{wanted.sha256[:16]}.part")
    with part.open("ab") as file:
        _fetch(transport, f"{job}/artifacts{path_of(name)}", wanted, file)
    arrived = _sha256(part)
    if arrived != wanted.sha256:
        part.unlink()
        raise DownloadDamaged(f"{name} arrived with sha256 {arrived}; {wanted.sha256} was listed. Fetch it again.")
    os.replace(part, path)
    return path


def _fetch(transport: Transport, url: str, wanted: ArtifactView, file: BinaryIO) -> None:
    """Appends what is still missing."""
    if file.tell() > wanted.size:
        file.truncate(0)
    for retry in transport.retries(f"GET {url}"):
        begin = file.tell()
        if begin == wanted.size:
            return
        headers = {"Range": f"bytes={begin}-", "If-Range": f'"{wanted.sha256}"'} if begin else {}
        try:
            with transport.stream(url, headers) as answer:
                if begin and answer.status_code != 206:  # another file now, or a proxy that knows no ranges
                    file.truncate(0)
                for piece in answer.iter_bytes(_CHUNK):
                    file.write(piece)
        except (httpx2.TransportError, Unavailable) as error:
            file.flush()
            if file.tell() > begin:
                retry.worked()
            retry.after(error)
        else:
            if file.tell() != wanted.size:
                return  # the sha256 will tell


def _place(target: str | Path, name: str) -> Path:
    """Where the file goes; below a folder under its whole name, and never out of it, whatever a service lists."""
    path = Path(target)
    if not path.is_dir() and not str(target).endswith(("/", os.sep)):
        return path
    inside = PurePosixPath(name)
    if inside.is_absolute() or ".." in inside.parts or "\\" in name:
        raise DistilleryError(f"the service lists a file '{name}', which would lie outside {path}")
    return path / inside


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
