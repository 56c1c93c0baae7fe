"""A study as the Python pipeline saves it: NPZ files with ids of every type that pandas and numpy give them.

Run: python test/golden/generate/python_study.py (writes ../python-study/*.npz)
Each question has a difficulty, which decides how often its answers are right, how far its states lie along a direction,
and its semantic entropy. expected.json has sums that a reader must find again.
"""
import json
from pathlib import Path

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

folder = Path(__file__).parent.parent / "python-study"
rng = np.random.default_rng(5)
WIDTH = 6
expected = {"numpy": np.__version__}


def rows(questions, samples=4):
    direction = np.linspace(-1, 1, WIDTH)
    out = {key: [] for key in ("X", "y", "entropy", "se", "q", "r")}
    for question in questions:
        difficulty = rng.normal()
        correct = rng.random(samples) < 1 / (1 + np.exp(2 * difficulty))
        share = correct.mean()
        se = -sum(p * np.log(p) for p in (share, 1 - share) if p > 0)
        for run in range(samples):
            out["X"].append(difficulty * direction + rng.normal(size=WIDTH) * 0.5)
            out["y"].append(int(correct[run]))
            out["entropy"].append(np.nan if rng.random() < 0.05 else 0.3 * np.exp(0.3 * difficulty))
            out["se"].append(se)
            out["q"].append(question)
            out["r"].append(run)
    return out


def save(name, data, ids, runs, compressed=False, dtype=np.float32):
    arrays = {
        "X_hidden": np.array(data["X"], dtype=dtype),
        "y_correct": np.array(data["y"], dtype=np.int64),
        "mean_think_entropy": np.array(data["entropy"]),
        "semantic_entropy": np.array(data["se"], dtype=np.float32),
        "question_ids": ids(data["q"]),
        "run_ids": runs(data["r"]),
    }
    (np.savez_compressed if compressed else np.savez)(folder / f"{name}.npz", **arrays)
    expected[name] = {
        "rows": len(data["y"]),
        "correct": int(sum(data["y"])),
        "X_sum": float(arrays["X_hidden"].astype(np.float64).sum()),
        "last": [str(arrays["question_ids"][-1]), int(arrays["run_ids"][-1])],
    }
    return arrays


def as_objects(values):
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


folder.mkdir(exist_ok=True)
unicode, objects = np.array, as_objects
train = save("math_train", rows([f"math-{i:03d}" for i in range(40)]), objects, lambda r: np.array(r, dtype=np.int64))
val = save("math_val", rows([f"math-{i:03d}" for i in range(40, 52)]), unicode, lambda r: np.array(r, dtype=np.int32), True)
test = save("math_test", rows([f"math-{i:03d}é" for i in range(52, 64)]), objects, objects, dtype=np.float16)
ood = save("ood_test", rows(list(range(500, 514))), lambda q: np.array(q, dtype=np.int64), lambda r: np.array(r, dtype=np.int64))
# numpy's own integers among objects, as pandas leaves them
parts = (train, val, test)
np.savez(
    folder / "math_hidden_states.npz",
    hidden_states=np.concatenate([part["X_hidden"].astype(np.float32) for part in parts]),
    question_ids=np.concatenate([part["question_ids"].astype(object) for part in parts]),
    run_ids=as_objects([np.int64(run) for part in parts for run in part["run_ids"]]),
)
# what scikit-learn makes of it: probes of incorrectness at one penalty
scaler = StandardScaler().fit(train["X_hidden"])
probe = LogisticRegression(C=0.001, tol=1e-8).fit(scaler.transform(train["X_hidden"]), 1 - train["y_correct"])
expected["scikit-learn"] = sklearn.__version__
expected["auroc"] = {
    name: float(roc_auc_score(1 - part["y_correct"], probe.decision_function(scaler.transform(part["X_hidden"].astype(float)))))
    for name, part in (("math_val", val), ("math_test", test), ("ood_test", ood))
}
(folder / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
