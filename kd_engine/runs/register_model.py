"""A job of kind `register`: looks at a network that was sent, and writes it as later jobs read it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import torch
from torch import nn

from kd_engine.catalog import TASKS
from kd_engine.data.dataset import Dataset, read_raw
from kd_engine.evaluation.evaluate_file import FileEvaluation, evaluate_file, publish_evaluation
from kd_engine.images.normalisation import Normalisation
from kd_engine.intake.class_order import check_order
from kd_engine.intake.logits_file import recorded_logits
from kd_engine.intake.onnx_file import onnx_network
from kd_engine.intake.scales import Way, usual_ways
from kd_engine.intake.verify_model import choose, laid_out_ways
from kd_engine.intake.weights_file import network_of, own_network
from kd_engine.jobspec import RegisterSpec, network_file
from kd_engine.jobspec.inputs import DATASET, UPLOAD
from kd_engine.models.foreign import AT_ONCE, LOGITS, ONNX
from kd_engine.models.pixel_input import Feed
from kd_engine.networks.network import Architecture, Network, save_network
from kd_engine.platform.files import write_atomically
from kd_engine.runs.context import RunContext
from kd_engine.runs.item_progress import ImageProgress
from kd_engine.schema.errors import DataError, DivergedError, InvalidSpecError
from kd_engine.schema.evaluation_report import EvaluationReport, Registered
from kd_engine.schema.events import PhaseEnded, PhaseStarted
from kd_engine.schema.run_request import RunOptions

ROLE = "model"


def run_register(spec: RegisterSpec, context: RunContext) -> tuple[str, ...]:
    """Verifies the file that came with the job on the data set.

    Returns the names of the artifacts, `model.safetensors` first.

    Raises:
        DataError: the file is no network for this data set; the message says why.
        Interrupted: asked to stop. Nothing is kept: the next attempt starts from the beginning.
    """
    options, device, emit = context.options, context.device, context.emit
    if (upload := options.inputs.get(UPLOAD)) is None:
        raise InvalidSpecError("a registration is made by POST /models, with the file that it is of.")
    data = context.load(spec.dataset)
    images, several = len(data.test), TASKS[data.task].several
    progress = ImageProgress(spec.kind, emit, context.should_stop)
    emit(PhaseStarted(phase=spec.kind, repeat=0, epochs=0))
    progress(0, images)
    sent = _read(upload, spec, data, options)
    network = sent.network
    network.module.to(device)
    network.freeze()
    choice = choose(network, data.train, *_ways(network, spec, data))
    network = choice.best.network
    if not several:
        check_order(choice.labels_N, choice.best.answers, data.classes, sent.named)
    path = options.out_dir / network_file(ROLE)
    save_network(network, path, {"upload_sha256": spec.upload_sha256, "dataset": spec.dataset.listed_name})
    called = options.called("dataset", spec.dataset_name)
    found = _measured(path, called, data, device, lambda done: progress(done, images))
    feed = choice.best.way.feed
    registered = Registered(
        format=spec.format,
        sha256=spec.upload_sha256,
        mean=feed.mean,
        std=feed.std,
        channels="bgr" if feed.bgr else "rgb",
        train_images=len(choice.labels_N),
        train_accuracy=choice.best.accuracy(choice.labels_N),
        train_log_loss=float(choice.best.nll_SN[0].mean()),
        normalisations_tried=tuple(choice.documented()) if len(choice.tried) > 1 else (),
        notes=(*sent.notes, *choice.notes(), *_notes(found.report, several)),
    )
    report = found.report.changed(
        kind="register", registered=registered, dataset=spec.dataset_name, names=dict(options.names)
    )
    found = replace(found, report=report)
    emit(PhaseEnded(phase=spec.kind, repeat=0, source="given", metrics=found.metrics))
    write_atomically(options.out_dir / "spec.json", json.dumps(spec.to_json(), indent=2) + "\n")
    return path.name, "spec.json", *publish_evaluation(found, options.out_dir)


@dataclass(frozen=True)
class _Sent:
    """
    Attributes:
        named: for each output of the file the class that it is taken for.
        notes: what its sender should know.
    """

    network: Network
    named: tuple[str, ...]
    notes: Sequence[str] = ()


def _read(path: Path, spec: RegisterSpec, data: Dataset, options: RunOptions) -> _Sent:
    named = spec.classes or data.classes
    columns, several = _columns(spec, data), TASKS[data.task].several
    if spec.format == "safetensors":
        return _Sent(_from_weights(path, spec, data), named)
    if spec.format == "onnx":
        pixels_BCHW = data.train.images_NCHW[:AT_ONCE].cpu().float().div(255)
        module, notes = onnx_network(path, pixels_BCHW, named, said=spec.classes is not None, several=several)
        order = tuple(module.params.order[place] for place in columns)
        by_output = tuple(data.classes[order.index(place)] for place in range(len(order)))
        return _Sent(_foreign(ONNX, module.changed(order=order), data), by_output, notes)
    raw = read_raw(spec.dataset, options.data_dir, options.download, options.cache_dir, options.inputs.get(DATASET))
    recorded, notes = recorded_logits(path, raw, columns, data.task)
    return _Sent(_foreign(LOGITS, recorded, data), named, notes)


def _measured(
    path: Path, dataset: str, data: Dataset, device: torch.device, after_batch: Callable[[int], None]
) -> FileEvaluation:
    try:
        return evaluate_file(path, dataset, data, device, after_batch=after_batch)
    except DivergedError:
        raise DataError(
            "the network's outputs are not finite (NaN or infinite) for some test images, and are for those of train; "
            "look at what it gives for each before sending it."
        ) from None


def _columns(spec: RegisterSpec, data: Dataset) -> tuple[int, ...]:
    """For each class of the data set, the place of its output."""
    named = spec.classes or data.classes
    if sorted(named) != sorted(data.classes):
        raise DataError(f"'classes' is not the data set's, each once: {', '.join(data.classes[:10])}.")
    return tuple(named.index(name) for name in data.classes)


def _foreign(model: str, module: nn.Module, data: Dataset) -> Network:
    plain = ((0.0,) * data.shape[0], (1.0,) * data.shape[0])
    params = module.params.model_dump(mode="json")  # type: ignore[union-attr, operator]
    return Network(Architecture(model, params, data.shape, data.classes, *plain, data.task), module)


def _from_weights(path: Path, spec: RegisterSpec, data: Dataset) -> Network:
    if spec.model is None:
        return own_network(path, data)
    mean, std = (0.0,) * data.shape[0], (1.0,) * data.shape[0]
    params = {key: value for key, value in spec.params.items() if key not in ("pretrained", "weights_file")}
    network = network_of(path, Architecture(spec.model, params, data.shape, data.classes, mean, std, data.task))
    if spec.classes is not None:
        _reorder_head(network.module, _columns(spec, data))
    return network


def _reorder_head(module: nn.Module, columns: tuple[int, ...]) -> None:
    """Puts the last layer's outputs into the data set's order: no other part of a network knows of classes."""
    last = [layer for layer in module.modules() if isinstance(layer, nn.Linear)]
    if not last or last[-1].out_features != len(columns):
        raise DataError("the outputs of this network cannot be put into another order; export it as ONNX instead.")
    with torch.no_grad():
        for parameter in last[-1].parameters():
            parameter.copy_(parameter[list(columns)])


def _ways(network: Network, spec: RegisterSpec, data: Dataset) -> tuple[list[Way], bool]:
    """The ways to feed it that come into question; and whether the order of the channels is to be found out as well."""
    channels, bgr = data.shape[0], spec.channels == "bgr"
    if spec.mean is not None and spec.std is not None:
        if len(spec.mean) != channels or len(spec.std) != channels:
            raise DataError(
                f"'mean' and 'std' have {len(spec.mean)} and {len(spec.std)} values; expected one a channel."
            )
        ways = [Way("as given", Feed(mean=spec.mean, std=spec.std, bgr=bgr))]
        return laid_out_ways(network, ways), False
    assert data.facts is not None, "data that was loaded is known"
    mean, std = spec.dataset.mean or data.facts.mean, spec.dataset.std or data.facts.std
    ours = spec.format == "safetensors" and spec.model is None  # such a network knows how it was trained
    if ours or spec.format == "npz" or mean is None or std is None:
        return [Way("its own", Feed(mean=network.architecture.mean, std=network.architecture.std))], False
    order = "rgb" if spec.format == "safetensors" else spec.channels
    ways = usual_ways(channels, Normalisation(mean, std), order)
    return laid_out_ways(network, ways), channels == 3 and order is None


def _notes(report: EvaluationReport, several: bool) -> list[str]:
    images = [row.images for row in report.classes if row.images]
    # an average precision of chance is the share of the images that have the class
    chance = fmean(images) / report.test_images if several and images else 1 / len(report.classes)
    if report.interval[0] > chance:
        return []
    return ["it names no more images right than by chance: look at what it was trained on"]
