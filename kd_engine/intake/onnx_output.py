"""Which output of an ONNX model names the classes, and what it says of them. No torch.

Shapes: B images in a batch, K classes.
"""

from __future__ import annotations

from typing import Any

import onnx
from onnx import numpy_helper

from kd_engine.intake.answer_kinds import recognised
from kd_engine.models.onnx_session import OnnxSession, table
from kd_engine.schema.errors import DataError

_TENSORS = ("tensor(float)", "tensor(double)", "tensor(float16)")
_USUAL = ("logits", "output", "probabilities", "output_probability")
# what changes no number but by rounding
_PASSED_OVER = (
    "Cast", "DequantizeLinear", "Flatten", "Identity", "QuantizeLinear", "Reshape", "Squeeze", "Transpose", "Unsqueeze",
    "ZipMap",
)  # fmt: skip
_LONGEST_WAY = 100


def chosen_output(
    model: onnx.ModelProto,
    session: OnnxSession,
    outputs: list[Any],
    images: int,
    classes: tuple[str, ...],
    *,
    said: bool,
    several: bool = False,
) -> tuple[dict[str, Any], tuple[int, ...], list[str]]:
    """The fields of `Output`; for each class the place of its number; and notes.

    Args:
        outputs: for so many images.
        said: the classes are in the order of the model's outputs, whatever names it has for them.
        several: an image may have several of them.

    Raises:
        DataError: no output names so many classes; or it names others.
    """
    described = session.session.get_outputs()
    places = sorted(range(len(outputs)), key=lambda place: described[place].name not in _USUAL)
    for place in places:
        found, order = outputs[place], tuple(range(len(classes)))
        keys: tuple[Any, ...] = ()
        if isinstance(found, list) and found and isinstance(found[0], dict):
            keys = tuple(sorted(found[0]))
            order = _named(keys, classes, said=said)
        elif described[place].type not in _TENSORS or not getattr(found, "ndim", 0):
            continue
        numbers_BK = table(found, keys)
        columns = numbers_BK.shape[1]
        single = columns == 1 and len(classes) == 2 and not several
        if len(numbers_BK) != images or (columns != len(classes) and not single):
            continue
        name = described[place].name
        last, step = _made_by(model.graph, name)
        answers = recognised(numbers_BK, last=last, step=step, called=name, single=single, several=several)
        notes = list(answers.notes)
        if single:
            what = "how likely" if answers.kind == "sigmoids" else "the logit of"
            notes.append(f"the model has one output for two classes: it is taken for {what} '{classes[1]}'.")
        output = {"place": place, "kind": answers.kind, "keys": keys, "single": single, "floor": answers.floor}
        return output, order, notes
    shown = "; ".join(f"'{one.name}' ({one.type}, {_sizes(one.shape)})" for one in described)
    raise DataError(
        f"none of the ONNX model's outputs names {len(classes)} classes: it has {shown}. Expected one number for each "
        "class of each image."
    )


def _named(keys: tuple[Any, ...], classes: tuple[str, ...], *, said: bool) -> tuple[int, ...]:
    """The place of each class among the keys of a map: by its name, or by its number."""
    if len(keys) != len(classes):
        raise DataError(f"the ONNX model names {len(keys)} classes ({keys[:5]}, ...), the data set has {len(classes)}.")
    names = [str(key) for key in keys]
    if said:
        return tuple(range(len(classes)))
    if set(names) == set(classes):
        return tuple(names.index(name) for name in classes)
    if any(isinstance(key, str) for key in keys):
        raise DataError(
            f"the ONNX model names the classes {', '.join(names[:5])}, ..., those of the data set are "
            f"{', '.join(classes[:5])}, ...; say with classes=... which is which, in the order {', '.join(names[:5])}, "
            "...."
        )
    return tuple(range(len(classes)))


def _made_by(graph: onnx.GraphProto, name: str) -> tuple[str, float]:
    """The last operation that makes an output what it is; and the step of its numbers where they have eight bits."""
    makers = {output: node for node in graph.node for output in node.output}
    step = 0.0
    for _ in range(_LONGEST_WAY):
        node = makers.get(name)
        if node is None:
            break
        if node.op_type == "DequantizeLinear" and not step:
            step = _scalar(graph, node.input[1])
        if node.op_type not in _PASSED_OVER or not node.input:
            return node.op_type, step
        name = node.input[0]
    return "", step


def _scalar(graph: onnx.GraphProto, name: str) -> float:
    tensors = [tensor for tensor in graph.initializer if tensor.name == name]
    tensors += [
        attribute.t
        for node in graph.node
        if node.op_type == "Constant" and name in node.output
        for attribute in node.attribute
        if attribute.name == "value"
    ]
    values = [float(value) for tensor in tensors for value in numpy_helper.to_array(tensor).ravel()]
    return values[0] if len(values) == 1 else 0.0


def _sizes(shape: list[Any]) -> str:
    return " x ".join(str(size) if isinstance(size, int) else "N" for size in shape)
