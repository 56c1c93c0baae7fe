"""Converged scikit-learn logistic regressions on arrays that TypeScript regenerates from a formula.

Run: python test/golden/generate/logistic.py > test/golden/logistic.json
Features x[i, j] and labels come from integer hashes, so no array needs to be stored and both sides see the same
float32 numbers. dtype: float64 arithmetic on float32 features.
"""
import json
import warnings

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from hashed import hashed

CASES = [
    {"n": 120, "d": 8, "C": 1.0, "class_weight": "none"},
    {"n": 120, "d": 8, "C": 1e-5, "class_weight": "none"},
    {"n": 120, "d": 8, "C": 100.0, "class_weight": "balanced"},
    {"n": 300, "d": 40, "C": 0.01, "class_weight": "balanced"},
    {"n": 60, "d": 150, "C": 0.1, "class_weight": "none"},
    {"n": 60, "d": 150, "C": 10.0, "class_weight": "balanced"},
]


def make(n, d):
    x = np.empty((n, d), dtype=np.float32)
    y = np.empty(n, dtype=int)
    for i in range(n):
        shared = hashed(i, 9999) - 0.5
        for j in range(d):
            # Scales differ by feature, columns correlate, the last column is constant.
            value = (1 + j % 7) * (hashed(i, j) - 0.5 + shared * ((j % 3) - 0.5)) + j
            x[i, j] = 3.25 if j == d - 1 else value
        y[i] = 1 if hashed(i, 7777) + 0.9 * shared + 0.3 * (hashed(i, 0) - 0.5) > 0.62 else 0
    return x, y


cases = []
for case in CASES:
    x, y = make(case["n"], case["d"])
    z = StandardScaler().fit_transform(x.astype(np.float64))
    weight = None if case["class_weight"] == "none" else "balanced"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = LogisticRegression(C=case["C"], class_weight=weight, solver="newton-cholesky", tol=1e-14, max_iter=1000)
        model.fit(z, y)
    # Confirm the optimum by the norm of the gradient itself.
    w, b = model.coef_[0], model.intercept_[0]
    costs = np.ones(len(y)) if weight is None else len(y) / (2 * np.bincount(y))[y]
    p = 1 / (1 + np.exp(-(z @ w + b)))
    residual = case["C"] * costs * (p - y)
    gradient = np.linalg.norm(np.append(w + z.T @ residual, residual.sum()))
    assert gradient <= 1e-7 * np.linalg.norm(w), (case, gradient, np.linalg.norm(w))
    cases.append({
        **case,
        "positives": int(y.sum()),
        "coefficients": [float(f"{v:.10g}") for v in w],
        "intercept": float(b),
        "auroc": float(roc_auc_score(y, z @ w + b)),
    })

print(json.dumps({"versions": {"numpy": np.__version__, "scikit-learn": sklearn.__version__}, "cases": cases}))
