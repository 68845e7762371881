"""What a folder's name says of the pictures in it: their split, or a purpose that is no class."""

from __future__ import annotations

import re
from typing import Literal

Split = Literal["train", "validation", "test"]
Purpose = Literal["holder", "annotations", "unlabelled", "variant"]

SPLITS: dict[str, Split] = {
    "train": "train", "training": "train",
    "test": "test", "testing": "test",
    "val": "validation", "valid": "validation", "validation": "validation", "dev": "validation",
}  # fmt: skip
"""As splits are called in names of folders and files and in columns of tables."""

# words that name no class: what is left of a name without them is looked at
_FILLERS = {"set", "sets", "seg", "split", "splits", "data", "dataset", "folder", "dir", "part"} | {
    "image", "images", "img", "imgs", "picture", "pictures", "pic", "pics", "photo", "photos",
}  # fmt: skip
_HOLDERS = {"images", "image", "imgs", "img", "pictures", "pics", "photos", "jpegimages", "jpg", "jpeg", "png"}
_ANNOTATIONS = {
    "mask", "masks", "annotation", "annotations", "trimap", "trimaps", "segmentation", "segmentations", "groundtruth",
    "gt", "bbox", "bboxes", "labels", "xml", "xmls",
}  # fmt: skip
_UNLABELLED = {
    "pred", "predict", "prediction", "predictions", "unlabeled", "unlabelled", "nolabel", "nolabels", "unsup",
    "unsupervised", "inference", "submission",
}  # fmt: skip
_VARIANTS = {"color", "colour", "grayscale", "greyscale", "gray", "grey", "rgb", "segmented", "eval", "evaluation"}
_JOINED = re.compile(r"^(train|training|test|testing|val|valid|validation)(set|data|images|imgs)$")


def split_of(folder: str) -> Split | None:
    """The split that a folder, a file or a value of a column names: `Train`, `seg_train`, `test_set`, `val2017`."""
    left = [word for word in _words(folder) if word not in _FILLERS]
    return SPLITS.get(left[0]) if len(left) == 1 else None


PART = re.compile(r"[-_.](\d{1,9})-of-(\d{1,9})(?!\d)")
"""In names of files: which part of how many."""


def splits_in(stem: str) -> list[Split]:
    """The splits that the words of a name of a file say, without its suffix: `imagenet1k-train-0000`."""
    words = re.split(r"[\W\d_]+", PART.sub("", stem).casefold())
    return list(dict.fromkeys(SPLITS[word] for word in words if word in SPLITS))


def purpose_of(folder: str) -> Purpose | None:
    """The purpose that a folder's name says, where it names neither a split nor, perhaps, a class."""
    plain = folder.casefold()
    if plain in _HOLDERS:
        return "holder"
    left = [word for word in _words(folder) if word not in _FILLERS]
    joined = "".join(left)
    if joined in _UNLABELLED:
        return "unlabelled"
    if joined in _ANNOTATIONS or plain in _ANNOTATIONS:
        return "annotations"
    return "variant" if plain in _VARIANTS else None


def _words(folder: str) -> list[str]:
    words = [re.sub(r"(?<=[a-z])\d+$", "", word) for word in re.split(r"[\W_]+", folder.casefold()) if word]
    return [part for word in words for part in _JOINED.sub(r"\1 \2", word).split()]
