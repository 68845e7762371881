#!/bin/sh
# onnxruntime 1.31.1: a model of `quantize_dynamic` answers otherwise for the same image beside other images.
#
# Expected: dynamic quantisation rounds the activations of each image by their own range, as it does weights by the
#   layer's; what is in the rest of the batch changes nothing.
# Seen: DynamicQuantizeLinear takes one range for the whole batch. One bright image beside it changes an image's logits
#   by a tenth of their size.
# What to do: give such a model one image at a time, or keep its answers for no other batch than the one they are of.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    onnxruntime==1.31.1 onnx==1.23.2 numpy==2.4.6 sympy==1.14.0
cd "$folder"
"$folder/venv/bin/python" - <<'END'
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import quantize_dynamic

random = np.random.default_rng(0)
layers = [random.normal(size=shape).astype(np.float32) / 8 for shape in ((64, 64), (64, 10))]
graph = helper.make_graph(
    [
        helper.make_node("MatMul", ["images", "w0"], ["hidden"]),
        helper.make_node("Relu", ["hidden"], ["active"]),
        helper.make_node("MatMul", ["active", "w1"], ["logits"]),
    ],
    "two_layers",
    [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 64])],
    [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 10])],
    [numpy_helper.from_array(layer, f"w{place}") for place, layer in enumerate(layers)],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
onnx.save(model, "float.onnx")
quantize_dynamic("float.onnx", "int8.onnx")
image = random.uniform(0, 1, (1, 64)).astype(np.float32)
company = np.concatenate([image, np.full((1, 64), 20, np.float32)])


def apart(file: str) -> float:
    session = onnxruntime.InferenceSession(file)
    alone, beside = (session.run(None, {"images": batch})[0][0] for batch in (image, company))
    return float(abs(alone - beside).max() / abs(alone).max())


print(f"onnxruntime {onnxruntime.__version__}: largest difference, of the largest logit: "
      f"float32 {apart('float.onnx'):.1e}, 8 bits {apart('int8.onnx'):.1e}")
assert apart("float.onnx") < 1e-5
assert apart("int8.onnx") > 0.02, "changed: each image has a range of its own"
END
