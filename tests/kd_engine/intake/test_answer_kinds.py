"""What a network's numbers are is told from its last operation and from themselves, and becomes logits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper

from kd_engine.intake.answer_kinds import recognised
from kd_engine.intake.inspect_onnx import look
from kd_engine.models.class_scores import as_logits
from kd_engine.models.foreign import OnnxNetwork, OnnxParams
from kd_engine.schema.errors import DataError
from tests.kd_engine.intake.networks import (
    CLASSES,
    classifier,
    digits,
    logits,
    perceptron_onnx,
    pixels,
    quantised_dynamically,
)

NAMES = [str(label) for label in range(CLASSES)]
LOGITS = logits("train")[:32]
SHARES = torch.from_numpy(LOGITS).softmax(dim=1).numpy()


def linear(tail: list[onnx.NodeProto], columns: int = CLASSES) -> bytes:
    """The digits' classifier and what comes after it: through a hidden layer that keeps pixels as they are."""
    same, none = np.eye(64, dtype=np.float32), np.zeros(64, np.float32)
    weights = classifier().coef_.T.astype(np.float32)[:, :columns], classifier().intercept_.astype(np.float32)[:columns]
    half = any(node.op_type == "Cast" for node in tail)
    return perceptron_onnx([same, none, *weights], tail, TensorProto.FLOAT16 if half else TensorProto.FLOAT)


def looked_at(content: bytes, tmp_path: Path, classes: list[str] = NAMES) -> tuple[OnnxNetwork, list[str]]:
    (tmp_path / "sent.onnx").write_bytes(content)
    images = pixels()[:32].reshape(-1, 1, 8, 8)
    [answer] = look(
        images.tobytes(),
        path=str(tmp_path / "sent.onnx"),
        shape=list(images.shape),
        classes=classes,
        said=False,
        threads=1,
    )
    found = json.loads(answer)
    notes = found.pop("notes")
    return OnnxNetwork(OnnxParams.model_validate(found), torch.frombuffer(bytearray(content), dtype=torch.uint8)), notes


def answers(network: OnnxNetwork) -> NDArray[np.float32]:
    given: NDArray[np.float32] = network(torch.from_numpy(pixels()[:32]).reshape(-1, 1, 8, 8)).numpy()
    return given


def softmax(numbers_BK: NDArray[Any]) -> NDArray[Any]:
    shares: NDArray[Any] = torch.from_numpy(numbers_BK).double().softmax(dim=1).numpy()
    return shares


SOFTMAX = helper.make_node("Softmax", ["scores"], ["shares"], axis=1)


@pytest.mark.parametrize("tail", [
    [SOFTMAX],
    [SOFTMAX, helper.make_node("Identity", ["shares"], ["same"])],
    [helper.make_node("LogSoftmax", ["scores"], ["logs"], axis=1)],
    [helper.make_node("Cast", ["scores"], ["halves"], to=TensorProto.FLOAT16),
     helper.make_node("Softmax", ["halves"], ["shares"], axis=1)],
    [helper.make_node("Exp", ["scores"], ["powers"]), helper.make_node("ReduceSum", ["powers"], ["sums"], keepdims=1),
     helper.make_node("Mul", ["powers", "powers"], ["unused"]), helper.make_node("Identity", ["scores"], ["same"])],
], ids=["softmax", "passed on", "logarithms", "half precision", "logits"])  # fmt: skip
def test_a_softmax_in_any_dress(tmp_path: Path, tail: list[onnx.NodeProto]) -> None:
    network, notes = looked_at(linear(tail), tmp_path)
    assert notes == []
    assert np.isfinite(answers(network)).all()
    np.testing.assert_allclose(softmax(answers(network)), SHARES, atol=2e-3)


def test_a_softmax_of_eight_bits_whose_rows_do_not_sum_to_one(tmp_path: Path) -> None:
    model = onnx.load_model_from_string(linear([
        SOFTMAX,
        helper.make_node("QuantizeLinear", ["shares", "step", "none"], ["whole"]),
        helper.make_node("DequantizeLinear", ["whole", "step", "none"], ["again"]),
    ]))  # fmt: skip
    model.graph.initializer.extend([
        helper.make_tensor("step", TensorProto.FLOAT, [], [1 / 256]),
        helper.make_tensor("none", TensorProto.INT8, [], [-128]),
    ])  # fmt: skip
    network, _ = looked_at(model.SerializeToString(), tmp_path)
    assert network.params.output.kind == "probabilities"
    np.testing.assert_allclose(softmax(answers(network)), SHARES, atol=6e-3)
    # what was rounded to 0 is less likely than what could just be told from it, not impossible
    assert answers(network).min() > np.log(1 / 256 / 30)


def test_sigmoids_become_their_logits(tmp_path: Path) -> None:
    network, [note] = looked_at(linear([helper.make_node("Sigmoid", ["scores"], ["each"])]), tmp_path)
    assert "a sigmoid" in note
    np.testing.assert_allclose(answers(network), LOGITS, atol=0.05)


def test_one_column_for_two_classes(tmp_path: Path) -> None:
    for tail, what in (([helper.make_node("Sigmoid", ["scores"], ["each"])], "how likely"), ([], "the logit of")):
        network, [note] = looked_at(linear(tail, columns=1), tmp_path, ["cat", "dog"])
        assert f"{what} 'dog'" in note
        np.testing.assert_allclose(answers(network)[:, 1], LOGITS[:, 0], rtol=1e-3, atol=1e-3)
        assert (answers(network)[:, 0] == 0).all()


def test_a_softmax_over_another_axis_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="over another axis than the classes"):
        looked_at(linear([helper.make_node("Softmax", ["scores"], ["shares"], axis=0)]), tmp_path)


@pytest.mark.filterwarnings("ignore:Attribute `prob:FutureWarning")
def test_decision_scores_are_no_probabilities_whatever_they_are_called(tmp_path: Path) -> None:
    from skl2onnx import to_onnx
    from sklearn.svm import SVC

    machine = SVC().fit(pixels()[:300], digits().train_labels.numpy()[:300])
    content = to_onnx(machine, pixels()[:1], target_opset=15, options={"zipmap": False}).SerializeToString()
    network, [note] = looked_at(content, tmp_path)
    assert "called 'probabilities'" in note
    assert "decision scores" in note
    assert network.params.output.kind == "logits"


def test_votes_are_shares() -> None:
    votes = np.array([[7.0, 3.0, 0.0], [0.0, 10.0, 0.0]])
    found = recognised(votes)
    assert found.kind == "probabilities"
    assert "sum to 10" in found.notes[0]
    np.testing.assert_allclose(softmax(as_logits(votes, found.kind, found.floor)), votes / 10, atol=1e-6)


def test_the_logarithm_of_what_was_rounded_to_0_is_finite() -> None:
    found = as_logits(np.array([[0.0, -np.inf]]), "logits", 1e-12)
    assert found[0, 1] == pytest.approx(np.log(1e-12))


def test_which_answers_depend_on_the_company(tmp_path: Path) -> None:
    mean = [
        helper.make_node("ReduceMean", ["scores"], ["mean"], axes=[0], keepdims=1),
        helper.make_node("Sub", ["scores", "mean"], ["centred"]),
    ]
    found = {
        name: looked_at(content, tmp_path)[0].batch_dependent
        for name, content in (
            ("plain", linear([])), ("centred", linear(mean)), ("quantised", quantised_dynamically(linear([]))),
        )
    }  # fmt: skip
    assert found == {"plain": False, "centred": True, "quantised": True}
