"""A scikit-learn probe, what it predicts, and what numpy makes of calibration maps.

Run: python test/golden/generate/probe_exports.py > test/golden/probe-exports.json
Features come from integer hashes, so that TypeScript makes the same ones. dtype: float64 arithmetic on float32
features; the fitted numbers are rounded to float32, as a probe keeps them, before they predict.

With a folder of exports that `sep probe export` wrote (probe.onnx, probe.npz, probe.sklearn.json of one probe and
states.npy [N, width]), prints instead how far numpy, scikit-learn and onnxruntime are from one another on them:
python probe_exports.py FOLDER
"""
import json
import sys
from pathlib import Path

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from hashed import hashed


def rebuild(path):
    """The Python of docs/probe-files.md."""
    probe = json.load(open(path))
    scaler, classifier = StandardScaler(), LogisticRegression()
    for model, values in ((scaler, probe["scaler"]), (classifier, probe["classifier"])):
        vars(model).update({name: np.array(value) for name, value in values.items()})
    return lambda x: classifier.predict_proba(scaler.transform(x))[:, 1]


def check(folder):
    import onnxruntime

    states = np.load(folder / "states.npy").astype(np.float32)
    by_sklearn = rebuild(folder / "probe.sklearn.json")(states.astype(np.float64))
    arrays = np.load(folder / "probe.npz")
    logits = ((states - arrays["mean"].astype(np.float64)) / arrays["scale"]) @ arrays["coefficients"] + arrays["intercept"]
    session = onnxruntime.InferenceSession(folder / "probe.onnx")
    outputs = session.run(None, {"hidden_states": states})
    named = dict(zip([output.name for output in session.get_outputs()], outputs))
    print("rows", len(states), "metadata", session.get_modelmeta().custom_metadata_map)
    print("npz against sklearn", np.abs(1 / (1 + np.exp(-logits)) - by_sklearn).max())
    print("onnx against sklearn", np.abs(named["score"] - by_sklearn).max())
    if "platt" in arrays:
        slope, offset = arrays["platt"]
        print("onnx risk against npz", np.abs(named["risk"] - 1 / (1 + np.exp(-(slope * logits + offset)))).max())


def golden():
    n, d = 60, 12
    x = np.array([[(1 + j % 4) * (hashed(i, j) - 0.5) + j for j in range(d)] for i in range(n)], dtype=np.float32)
    y = np.array([int(hashed(i, 1) + 0.3 * hashed(i, 500) > 0.65) for i in range(n)])
    scaler = StandardScaler().fit(x[:40].astype(np.float64))
    classifier = LogisticRegression(C=0.5, tol=1e-10, max_iter=1000).fit(scaler.transform(x[:40]), y[:40])
    for model, names in ((scaler, ("mean_", "scale_")), (classifier, ("coef_",))):
        for name in names:
            setattr(model, name, getattr(model, name).astype(np.float32).astype(np.float64))
    score = classifier.predict_proba(scaler.transform(x.astype(np.float64)))[:, 1]
    points = {"x": [0.1, 0.25, 0.5, 0.9], "y": [0.05, 0.2, 0.2, 0.8]}
    logit = np.log(score) - np.log1p(-score)
    print(json.dumps({
        "versions": {"numpy": np.__version__, "scikit-learn": sklearn.__version__},
        "n": n,
        "d": d,
        "scaler": {"mean_": scaler.mean_.tolist(), "scale_": scaler.scale_.tolist()},
        "classifier": {
            "coef_": classifier.coef_.tolist(),
            "intercept_": classifier.intercept_.tolist(),
            "classes_": classifier.classes_.tolist(),
        },
        "predict_proba": score.tolist(),
        "platt": {"slope": 1.5, "offset": -0.25, "risk": (1 / (1 + np.exp(-(1.5 * logit - 0.25)))).tolist()},
        "isotonic": {**points, "risk": np.interp(score, points["x"], points["y"]).tolist()},
    }))


if len(sys.argv) > 1:
    check(Path(sys.argv[1]))
else:
    golden()
