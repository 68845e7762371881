"""The data sets that the engine can read: a reader and one row here each. No torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kd_engine.catalog.class_names import CIFAR10, CIFAR100, DIGITS
from kd_engine.catalog.dataset_params import ArraysParams, DatasetParams, Facts, ImageFolderParams, UploadedParams

UPLOADED = "uploaded"
PREPARED = {"image_folder": "dataset.tar", "arrays": "dataset.npz"}
"""The checked file of a data set that was sent, by its layout."""
LABEL_SETS = "label_sets.json"
"""In such a file of pictures of several classes: the classes of the pictures in each folder, by its number."""
UNPACKED = "datasets"
"""The folder in the cache where such files are unpacked, each under its sha256."""


@dataclass(frozen=True)
class Layout:
    """One way in which a data set's publisher lays out its files: `files` in `folder` under the data folder."""

    folder: str
    files: tuple[str, ...]

    def complete(self, data_dir: Path) -> bool:
        return all((data_dir / self.folder / name).is_file() for name in self.files)


@dataclass(frozen=True)
class DatasetRow:
    """What is known of a data set before a byte of it is read; None where only its files know.

    Attributes:
        reader: `module:function` that returns `RawData`, from the data folder and the layout found there; or, for rows
            with parameters, from the data folder, the parameters and a folder for caches (or None). That of `uploaded`
            takes the checked file in place of the data folder.
        shape: channels, height and width of an image.
        mean, std: normalisation of pixels in [0, 1], one value a channel; 0 and 1 leave pixels in [0, 1]. None: they
            are measured.
        validation: images held out of train by default, or the share of them where it is below 1.
        layouts: the layouts that the reader understands; empty for data that a package carries.
        download: `module:function` that fetches the data set into the data folder; empty when nothing can.
        params: what a spec has to say besides the name; None for nothing.
    """

    name: str
    summary: str
    reader: str
    classes: tuple[str, ...] | None
    shape: tuple[int, int, int] | None
    train: int | None
    test: int | None
    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None
    validation: float
    layouts: tuple[Layout, ...] = ()
    download: str = ""
    source: str = ""
    params: type[DatasetParams] | None = None

    @property
    def num_classes(self) -> int | None:
        return None if self.classes is None else len(self.classes)

    @property
    def facts(self) -> Facts:
        """What the row knows; parameters may know more."""
        return Facts(self.name, self.classes, self.shape, self.train, self.mean, self.std)

    def find(self, data_dir: Path) -> Layout | None:
        """The first layout that is complete under `data_dir`."""
        return next((layout for layout in self.layouts if layout.complete(data_dir)), None)

    def present(self, data_dir: Path) -> bool:
        """Whether the files are there; for rows with parameters only those know (`DatasetSpec.absence`)."""
        return not self.layouts or self.find(data_dir) is not None

    def absence(self, data_dir: Path) -> str:
        """What to tell a user whose data set is not there: where it was looked for, and how to get it."""
        places = " or ".join(f"{data_dir / layout.folder} ({', '.join(layout.files)})" for layout in self.layouts)
        return (
            f"the data set '{self.name}' is not present: looked for {places}. Put the publisher's files there "
            f"({self.source}), point KD_DATA_DIR at the folder that holds them, or set KD_DOWNLOAD=true on a "
            "machine with a network."
        )

    def describe(self) -> dict[str, Any]:
        private = ("reader", "layouts", "download", "params")
        return {key: value for key, value in vars(self).items() if key not in private} | {
            "num_classes": self.num_classes,
            "files": [asdict(layout) for layout in self.layouts],
            "schema": (self.params or DatasetParams).model_json_schema(),
        }


_IDX = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
_BATCHES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")

DATASETS: dict[str, DatasetRow] = {
    row.name: row
    for row in (
        DatasetRow(
            name="digits",
            summary="1,797 handwritten digits of 8x8 pixels, carried by scikit-learn: nothing to download.",
            reader="kd_engine.data.readers.digits:read",
            classes=DIGITS,
            shape=(1, 8, 8),
            train=1437,
            test=360,
            mean=(0.0,),
            std=(1.0,),
            validation=180,
            source="UCI optical recognition of handwritten digits, test part",
        ),
        DatasetRow(
            name="mnist",
            summary="70,000 handwritten digits of 28x28 pixels.",
            reader="kd_engine.data.readers.mnist:read",
            classes=DIGITS,
            shape=(1, 28, 28),
            train=60_000,
            test=10_000,
            mean=(0.0,),
            std=(1.0,),
            validation=5000,
            layouts=(Layout("MNIST/raw", tuple(f"{part}.gz" for part in _IDX)), Layout("MNIST/raw", _IDX)),
            download="kd_engine.data.readers.mnist:download",
            source="LeCun, Cortes and Burges, http://yann.lecun.com/exdb/mnist/",
        ),
        DatasetRow(
            name="cifar10",
            summary="60,000 colour photographs of 32x32 pixels in 10 classes.",
            reader="kd_engine.data.readers.cifar:read_cifar10",
            classes=CIFAR10,
            shape=(3, 32, 32),
            train=50_000,
            test=10_000,
            mean=(0.4914, 0.4822, 0.4465),
            std=(0.2470, 0.2435, 0.2616),
            validation=5000,
            layouts=(
                Layout("cifar-10-batches-bin", tuple(f"{part}.bin" for part in _BATCHES)),
                Layout("cifar-10-batches-py", _BATCHES),
            ),
            download="kd_engine.data.readers.cifar:download_cifar10",
            source="Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/cifar.html",
        ),
        DatasetRow(
            name="cifar100",
            summary="60,000 colour photographs of 32x32 pixels in 100 classes.",
            reader="kd_engine.data.readers.cifar:read_cifar100",
            classes=CIFAR100,
            shape=(3, 32, 32),
            train=50_000,
            test=10_000,
            mean=(0.5071, 0.4867, 0.4408),
            std=(0.2675, 0.2565, 0.2761),
            validation=5000,
            layouts=(
                Layout("cifar-100-binary", ("train.bin", "test.bin")),
                Layout("cifar-100-python", ("train", "test")),
            ),
            download="kd_engine.data.readers.cifar:download_cifar100",
            source="Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/cifar.html",
        ),
        DatasetRow(
            name="image_folder",
            summary="Your own pictures: a folder with train/ and val/ (or test/), and in each a folder a class.",
            reader="kd_engine.data.readers.image_folder:read",
            classes=None,
            shape=None,
            train=None,
            test=None,
            mean=None,
            std=None,
            validation=0.1,
            source="a folder under KD_DATA_DIR",
            params=ImageFolderParams,
        ),
        DatasetRow(
            name="arrays",
            summary="Your own arrays: train_images, train_labels, test_images and test_labels, as .npz or .npy.",
            reader="kd_engine.data.readers.arrays:read",
            classes=None,
            shape=None,
            train=None,
            test=None,
            mean=None,
            std=None,
            validation=0.1,
            source="a file or folder under KD_DATA_DIR",
            params=ArraysParams,
        ),
        DatasetRow(
            name=UPLOADED,
            summary='Your own data set, sent with POST /datasets: write its id, as in "dataset": "ds_...".',
            reader="kd_engine.data.readers.uploaded:read",
            classes=None,
            shape=None,
            train=None,
            test=None,
            mean=None,
            std=None,
            validation=0.1,
            source="POST /datasets",
            params=UploadedParams,
        ),
    )
}
