"""Where the weights of a network come from that does not start at random: a file of the user's, or a public hub."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from kd_engine.platform.files import sha256_of
from kd_engine.platform.heartbeat import one_call
from kd_engine.schema.errors import DataError

FOLDER = "weights"
_MOST_SECONDS = 3600.0  # of a download; the hub's client itself gives up a connection that says nothing
_HUB_FOLDER = "hub"
_SUFFIX = ".safetensors"
_HUB_FILE = "model.safetensors"
_HOW = (
    f"Put a safetensors file with them into the folder '{FOLDER}' of KD_DATA_DIR and name it in params.weights_file "
    "instead of params.pretrained"
)


@dataclass(frozen=True)
class WeightsFolder:
    """The folder that holds weights, under the data folder; downloads go into it too.

    Attributes:
        download: whether the hub may be asked for what is not there yet.
    """

    data_dir: Path
    download: bool = True

    def given(self, name: str) -> dict[str, Tensor]:
        """The tensors of the user's file `name`.

        Raises:
            DataError: no such file, or it is not safetensors. Names that lead out of the folder do not exist.
        """
        return _read(self._file(name))

    def published(self, repository: str) -> dict[str, Tensor]:
        """The tensors that `repository` of the Hugging Face hub holds, downloaded once.

        Raises:
            DataError: they are not there yet and cannot be downloaded; the message says how to supply them.
        """
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import LocalEntryNotFoundError

        where: dict[str, Any] = {"filename": _HUB_FILE, "cache_dir": self.data_dir / FOLDER / _HUB_FOLDER}
        try:
            return _read(Path(hf_hub_download(repository, local_files_only=True, **where)))
        except LocalEntryNotFoundError as absent:
            if not self.download:
                message = (
                    f"the weights {repository} are not there and downloads are off. {_HOW}, or set KD_DOWNLOAD=true."
                )
                raise DataError(message) from absent
        try:
            with one_call(f"downloading the weights {repository}", seconds=_MOST_SECONDS):
                path = Path(hf_hub_download(repository, **where))
            return _read(path)
        except DataError:
            raise
        except Exception as error:  # the hub's client, its HTTP library and the network have errors of their own
            raise DataError(
                f"the weights {repository} could not be downloaded ({type(error).__name__}). {_HOW}, or try again on a "
                "machine with a network."
            ) from error

    def sha256(self, params: Mapping[str, Any]) -> str:
        """Of the file that a network's parameters name, in hex; empty where they name none.

        Raises:
            DataError: no such file.
        """
        name = params.get("weights_file")
        return "" if name is None else sha256_of(self._file(name))

    def _file(self, name: str) -> Path:
        path = self.data_dir / FOLDER / name
        if Path(name).name != name or not name.endswith(_SUFFIX) or not path.is_file():
            raise DataError(
                f"there is no file of weights '{name}' in the folder '{FOLDER}' of KD_DATA_DIR: expected a file that "
                f"ends in {_SUFFIX}, by its name alone."
            )
        return path


@runtime_checkable
class StartsFromWeights(Protocol):
    """A network whose parameters may ask for weights to start from."""

    def load_start(self, folder: WeightsFolder) -> None:
        """Loads the weights that its parameters ask for, if they ask for any.

        Raises:
            DataError: they are missing or do not fit.
            InvalidSpecError: there are none by that name.
        """
        ...


def _read(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise DataError(f"{path.name} is not a safetensors file ({type(error).__name__}: {error}).") from error
