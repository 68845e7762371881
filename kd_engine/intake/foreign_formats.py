"""What a file is that nobody here reads, in words: its kind, and how to make of it what is read."""

from __future__ import annotations

from typing import BinaryIO, Literal

Wanted = Literal["data set", "network"]

HEAD = 4096  # bytes that are looked at
_ENOUGH = 2048  # bytes: fewer are without the three of them now and then
_ARRAYS = "read its arrays in Python and write numpy.savez('data.npz', images=..., labels=...)"
_REPACK = "unpack it, and pack the folder again as zip"
_UNCOMPRESSED = "decompress it, and send what it holds as zip, tar or tar.gz"
_ONE_PICTURE = "pack the pictures as a zip archive, a folder for each class"
_TO_ONNX = "write the network as ONNX where it was trained"
# where the bytes stand, the bytes, what such a file is, and what to do with one that is to be a data set, or a network
_MAGIC: tuple[tuple[int, bytes, str, str, str], ...] = (
    (0, b"Rar!\x1a\x07", "a RAR archive", _REPACK, "unpack it, and send the network that it holds"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", _REPACK, "unpack it, and send the network that it holds"),
    (0, b"MSCF", "a cabinet archive (.cab)", _REPACK, "unpack it, and send the network that it holds"),
    (0, b"\x28\xb5\x2f\xfd", "compressed with zstd", _UNCOMPRESSED, "decompress it"),
    (0, b"\x04\x22\x4d\x18", "compressed with lz4", _UNCOMPRESSED, "decompress it"),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file (.h5, Keras or MATLAB 7.3)", f"with h5py, {_ARRAYS}",
     "in Keras: model.export('model.onnx', format='onnx')"),
    (0, b"MATLAB 5.0", "a MATLAB file (.mat)",
     f"with scipy.io.loadmat, {_ARRAYS}; SVHN's train_32x32.mat and test_32x32.mat are taken in one zip", _TO_ONNX),
    (0, b"ARROW1", "an Arrow file", "pack it as zip, with state.json where it has one", _TO_ONNX),
    (0, b"SQLite format 3\0", "an SQLite database", _ARRAYS, _TO_ONNX),
    (4, b"TFL3", "a TensorFlow Lite model", "send it with POST /models, as ONNX",
     "convert it: python -m tf2onnx.convert --tflite model.tflite --output model.onnx"),
    (0, b"GGUF", "a GGUF model", "a data set is expected here", _TO_ONNX),
    (0, b"\xff\xd8\xff", "a single picture (JPEG)", _ONE_PICTURE, _TO_ONNX),
    (0, b"\x89PNG\r\n", "a single picture (PNG)", _ONE_PICTURE, _TO_ONNX),
    (0, b"GIF8", "a single picture (GIF)", _ONE_PICTURE, _TO_ONNX),
    (0, b"BM", "a single picture (BMP)", _ONE_PICTURE, _TO_ONNX),
    (8, b"WEBP", "a single picture (WebP)", _ONE_PICTURE, _TO_ONNX),
    (0, b"II*\0", "a single picture (TIFF)", _ONE_PICTURE, _TO_ONNX),
    (0, b"MM\0*", "a single picture (TIFF)", _ONE_PICTURE, _TO_ONNX),
    (4, b"ftyp", "a single picture or a film (HEIC, AVIF or MP4)", _ONE_PICTURE, _TO_ONNX),
    (0, b"%PDF-", "a PDF document", "send the pictures themselves", _TO_ONNX),
    (0, b"version https://git-lfs", "a pointer of Git LFS, which stands for the file",
     "fetch the file itself with git lfs pull", "fetch the file itself with git lfs pull"),
)  # fmt: skip
_WEB_PAGE = "a download that asks for a login first saves one; open the link in a browser, and send the file itself"
_TABLE = "of pixels: read it in Python and write numpy.savez('data.npz', images=..., labels=...); a list of pictures: "
_DROPPED = frozenset(b"\0\n\r")
_CURL = (
    "binary, but without a single line end or NUL: the program that sent it took them out, as curl does with --data; "
    "send it with curl --data-binary @FILE, or with curl -T FILE -X POST"
)
_FROM_TORCH = (
    "network.eval(); torch.onnx.export(network, (images,), 'network.onnx', external_data=False, "
    "dynamic_shapes=({0: 'batch'},)), where images are two or more as it takes them"
)
_ELSEWHERE: dict[tuple[str, Wanted], str] = {
    ("npy", "data set"): ": put images and labels into one file, numpy.savez('data.npz', images=..., labels=...)",
    ("safetensors", "data set"): ": send it with POST /models",
    ("onnx", "data set"): ": send it with POST /models",
    ("pickle", "data set"): f": {_ARRAYS}",
    ("pickle", "network"): f": where its class is at hand, load it with torch, and write ONNX: {_FROM_TORCH}; or, of a "
    "network of the catalogue or of timm, its weights: from safetensors.torch import save_file; "
    "save_file(network.state_dict(), 'network.safetensors')",
    ("pt2", "network"): ": write ONNX of it: torch.onnx.export(torch.export.load('network.pt2'), (), "
    "'network.onnx', external_data=False)",
    ("pt2", "data set"): ": a network goes to POST /models, as ONNX or safetensors",
    ("tar", "network"): ": unpack it, and send the network that it holds; pictures go to POST /datasets",
    ("zip", "network"): ": unpack it, and send the network that it holds; pictures go to POST /datasets",
    ("parquet", "network"): ": a data set goes to POST /datasets",
    ("npy", "network"): ": put logits into one file, numpy.savez('logits.npz', train=..., test=...)",
}


def advice(found: str, wanted: Wanted) -> str:
    """What to do with a file of a known format where it is of no use; empty where the format says it."""
    return _ELSEWHERE.get((found, wanted), "")


def describe(file: BinaryIO, wanted: Wanted) -> str:
    """After "the file is": what it is, and what to do about it; the file is read from its beginning."""
    file.seek(0)
    head = file.read(HEAD)
    for place, magic, what, for_data, for_network in _MAGIC:
        if head.startswith(magic, place):
            return f"{what}: {for_data if wanted == 'data set' else for_network}"
    text = _text(head)
    if text is None:
        return _CURL if lost_bytes(head) else "of a kind that is not known here"
    beginning = text.lstrip("\ufeff \t\r\n").lower()
    if beginning.startswith(("<!doctype html", "<html", "<head")):
        return f"a web page (HTML): {_WEB_PAGE}"
    if beginning.startswith(("{", "[")):
        return "text (JSON)" + (f": {_ARRAYS}" if wanted == "data set" else f": {_TO_ONNX}")
    if _is_table(text):
        return f"a table as text (csv): {_TABLE + _ONE_PICTURE if wanted == 'data set' else _TO_ONNX}"
    return "text"


def lost_bytes(head: bytes) -> bool:
    """Whether this is binary, and yet holds none of the bytes that programs drop which take a file for text."""
    return len(head) >= _ENOUGH and not _DROPPED & set(head) and _text(head) is None


def _text(head: bytes) -> str | None:
    """What it says, if it is text; its last character may be cut off."""
    if any(byte < 32 and byte not in b"\t\n\r\f" for byte in head):
        return None
    for end in range(len(head), max(len(head) - 4, -1), -1):
        try:
            return head[:end].decode()
        except UnicodeDecodeError:
            continue
    return None


def _is_table(text: str) -> bool:
    """Whether its first lines have as many separators each, one or more."""
    lines = [line for line in text.splitlines()[:4] if line.strip()]
    lines = lines[:-1] if len(lines) > 2 else lines  # the last one may be cut off
    return any(lines and lines[0].count(mark) and len({line.count(mark) for line in lines}) == 1 for mark in ",;\t")
