#!/bin/sh
# skl2onnx 1.20.0: an SVC without probabilities has an output named `probabilities`, of decision scores.
#
# Expected: `SVC()` (probability=False) has no predict_proba, so its ONNX model has the label alone, or scores that are
#   called scores.
# Seen: the outputs are `label` and `probabilities`, and the latter holds numbers below 0 and above 1. Who takes their
#   logarithm, as of a softmax, gets NaN.
# What to do: look at the numbers, not at the name; for probabilities, convert a CalibratedClassifierCV.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    skl2onnx==1.20.0 scikit-learn==1.9.1 onnxruntime==1.31.1 onnx==1.23.2 numpy==2.4.6
"$folder/venv/bin/python" - <<'END'
import numpy as np
import onnxruntime
import skl2onnx
import sklearn
from sklearn.datasets import load_digits
from sklearn.svm import SVC

images, labels = load_digits(return_X_y=True)
model = SVC().fit(images[:500], labels[:500])
assert not hasattr(model, "predict_proba")
onnx_model = skl2onnx.to_onnx(model, images[:1].astype(np.float32), options={"zipmap": False})
session = onnxruntime.InferenceSession(onnx_model.SerializeToString())
names = [output.name for output in session.get_outputs()]
scores = np.array(session.run([names[1]], {session.get_inputs()[0].name: images[500:600].astype(np.float32)})[0])
print(f"skl2onnx {skl2onnx.__version__}, scikit-learn {sklearn.__version__}: outputs {names}, "
      f"numbers from {scores.min():.2f} to {scores.max():.2f}")
assert names[1] == "probabilities", "changed: the output has another name"
assert scores.max() > 1, "changed: the numbers may be probabilities"
END
