"""Converged float64 probes for bench/probes.js: Newton's method with exact linear solves, for every fold and C.

Run: python bench/probes/reference.py JOB.json; prints one JSON line.
Job: {"data", "layers": [..], "penalties": [..]}
Needs numpy, scipy, scikit-learn (for AUROC) and safetensors.
"""
import json
import sys

import numpy as np
from safetensors import safe_open
from scipy.linalg import cho_factor, cho_solve
from sklearn.metrics import roc_auc_score

TARGETS = ["incorrect", "high"]


def read(path, name):
    with safe_open(path, "np") as file:
        return file.get_tensor(name)


def fit_path(K, y, penalties):
    """For each C the duals u and intercept of the optimum w = Z^T u, K = Z Z^T, at a gradient of 1e-9 of ||w||."""
    n = len(y)
    dual, intercept, found = np.zeros(n), np.log(y.mean() / (1 - y.mean())), []
    for C in penalties:
        prediction = K @ dual + intercept
        for _ in range(100):
            p = 1 / (1 + np.exp(-prediction))
            residual, bend = C * (y - p) - dual, np.maximum(C * p * (1 - p), 1e-300)
            gradient = np.sqrt(max(residual @ K @ residual, 0) + (C * (y - p)).sum() ** 2)
            if gradient <= 1e-9 * np.sqrt(dual @ K @ dual):
                break
            # (I + W K) x + W 1 b = residual with sum(x) = -sum(dual), through the symmetric I + S K S, S = sqrt(W)
            root = np.sqrt(bend)
            system = root[:, None] * K * root[None, :]
            system[np.diag_indices(n)] += 1
            right = np.stack([residual / root, root], axis=1)
            solved = root[:, None] * cho_solve(cho_factor(system, overwrite_a=True), right)
            step_b = (solved[:, 0].sum() + dual.sum()) / solved[:, 1].sum()
            step = solved[:, 0] - step_b * solved[:, 1]
            image = K @ step
            old = dual @ (prediction - intercept), dual @ image, step @ image

            def objective(t):
                moved = prediction + t * (image + step_b)
                return 0.5 * (old[0] + 2 * t * old[1] + t * t * old[2]) + C * np.sum(np.logaddexp(0, moved) - y * moved)

            t, now = 1.0, objective(0.0)
            while objective(t) > now + 1e-12 * abs(now) and t > 1e-6:
                t /= 2
            dual, intercept = dual + t * step, intercept + t * step_b
            prediction = prediction + t * (image + step_b)
        found.append((dual, intercept))
    return found


def standardise(X, rows):
    return (X - X[rows].mean(0)) / X[rows].std(0)


job = json.load(open(sys.argv[1]))
fold, penalties = read(job["data"], "fold"), job["penalties"]
probes = []
for layer in job["layers"]:
    X = read(job["data"], f"think-end.layer.{layer}").astype(np.float64)
    areas = {target: np.zeros((5, len(penalties))) for target in TARGETS}
    for k in range(5):
        trained, held = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        Z = standardise(X, trained)
        K, held_K = Z[trained] @ Z[trained].T, Z[held] @ Z[trained].T
        for target in TARGETS:
            y = read(job["data"], target).astype(np.float64)
            for c, (dual, _) in enumerate(fit_path(K, y[trained], penalties)):
                areas[target][k, c] = roc_auc_score(y[held], held_K @ dual)
    Z = standardise(X, np.arange(len(X)))
    for target in TARGETS:
        means = areas[target].mean(0)
        C = penalties[int(np.argmax(means))]
        (dual, _), = fit_path(Z @ Z.T, read(job["data"], target).astype(np.float64), [C])
        probes.append({
            "layer": layer,
            "target": target,
            "C": C,
            "auroc": [float(area) for area in means],
            "coefficients": [float(w) for w in Z.T @ dual],
        })
print(json.dumps({"probes": probes}))
