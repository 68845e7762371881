"""Teachers that are given: loaded from the files of other jobs and checked against the data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kd_engine.data.dataset import Dataset
from kd_engine.networks.network import Network, ensemble, load_network
from kd_engine.schema.errors import InvalidSpecError


def load_given(path: Path, data: Dataset, role: str = "teacher") -> Network:
    """The network in `path`, checked against the data that it is to teach, or to be measured, on.

    Args:
        role: what messages call it.

    Raises:
        DataError: not a network file.
        InvalidSpecError: it names other classes, or takes images of another shape.
    """
    network = load_network(path)
    if network.architecture.task != data.task:
        raise InvalidSpecError(
            f"the {role} does not fit the data: its task is {network.architecture.task}, that of the data {data.task}. "
            "Take a network of the same task."
        )
    asked, found = (data.shape, data.classes), (network.architecture.shape, network.architecture.classes)
    if found != asked:
        raise InvalidSpecError(
            f"the {role} does not fit the data: it takes images {found[0]} of {len(found[1])} classes "
            f"({', '.join(found[1][:5])}, ...), the data has images {asked[0]} of {len(asked[1])} classes "
            f"({', '.join(asked[1][:5])}, ...), in that order."
        )
    return network


def load_given_teacher(paths: Sequence[Path], count: int, data: Dataset) -> Network:
    """The network in the only file of `paths`, or the ensemble of those in all of them.

    Args:
        count: how many networks of other jobs the spec's teacher is made of.

    Raises:
        DataError, InvalidSpecError: as `load_given`, where the message counts the members; or there are not `count`.
    """
    if len(paths) != count:
        raise InvalidSpecError(
            f"the teacher is made of {count} networks of other jobs, and {len(paths)} files were given for them; the "
            "service looks them up, without it give a file for each."
        )
    if count == 1:
        return load_given(paths[0], data)
    members = [load_given(path, data, f"teacher {place} of {count}") for place, path in enumerate(paths, start=1)]
    return ensemble(members)
