"""Probes by scikit-learn (and a small network by torch) on arrays that TypeScript regenerates from a formula.

Run: python test/golden/generate/probes.py > test/golden/probes.json
Features, labels and values come from integer hashes, so no array needs to be stored. Folds are question % 5, three
rows a question. dtype: float64 arithmetic on float32 features; the network in float32.
Made with scikit-learn 1.9.1, numpy 2.4.6, torch 2.13.0.
"""
import json
import warnings

import numpy as np
import sklearn
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from hashed import hashed

FOLDS = 5
ROWS_A_QUESTION = 3
# The sizes take each way through the solver: few or many features for the rows, deflated from 200 training rows on.
SIZES = [(150, 8), (150, 200), (300, 40), (300, 250)]
PENALTIES = [0.001, 0.3]
warnings.simplefilter("ignore")


def make(n, d):
    x = np.empty((n, d), dtype=np.float32)
    values = np.empty(n)
    for i in range(n):
        question = i // ROWS_A_QUESTION
        shared = hashed(question, 9999) - 0.5
        for j in range(d):
            # Scales differ by feature, columns correlate, the last column is constant.
            value = (1 + j % 7) * (hashed(i, j) - 0.5 + shared * ((j % 3) - 0.5)) + j
            x[i, j] = 3.25 if j == d - 1 else value
        values[i] = max(0, hashed(i, 7777) + 0.9 * shared + 0.3 * (hashed(i, 0) - 0.5) - 0.1)
    return x, values, (values > 0.52).astype(int)


def weights_of(y, balanced):
    return len(y) / (2 * np.bincount(y))[y] if balanced else np.ones(len(y))


def fit(kind, z, y, values, C, balanced):
    """Coefficients and intercept on standardised rows."""
    if kind == "mean-difference":
        return z[y == 1].mean(0) - z[y == 0].mean(0), 0.0
    if kind == "logistic":
        model = LogisticRegression(
            C=C, class_weight="balanced" if balanced else None, solver="newton-cholesky", tol=1e-14, max_iter=1000
        ).fit(z, y)
        return model.coef_[0], model.intercept_[0]
    model = Ridge(alpha=1 / C, solver="cholesky").fit(z, values, sample_weight=weights_of(y, balanced))
    return model.coef_, model.intercept_


def round_all(numbers):
    return [float(f"{v:.8g}") for v in numbers]


def cross_validate(x, y, values, fold, **settings):
    """Scores out of fold, and the mean over folds of the AUROC within the fold."""
    scores = np.empty(len(y))
    for k in range(FOLDS):
        trained = fold != k
        scaler = StandardScaler().fit(x[trained].astype(np.float64))
        z, held = scaler.transform(x[trained].astype(np.float64)), scaler.transform(x[~trained].astype(np.float64))
        w, b = fit(z=z, y=y[trained], values=values[trained], **settings)
        scores[~trained] = held @ w + b
    return scores, np.mean([roc_auc_score(y[fold == k], scores[fold == k]) for k in range(FOLDS)])


def make_case(n, d):
    x, values, y = make(n, d)
    fold = (np.arange(n) // ROWS_A_QUESTION) % FOLDS
    z = StandardScaler().fit_transform(x.astype(np.float64))
    probes = []
    for kind, C, balanced in [
        *(("logistic", C, balanced) for C in PENALTIES for balanced in (False, True)),
        *(("ridge", C, balanced) for C in PENALTIES for balanced in (False, True)),
        ("mean-difference", 0, False),
    ]:
        settings = {"kind": kind, "C": C, "balanced": balanced}
        scores, area = cross_validate(x, y, values, fold, **settings)
        w, b = fit(z=z, y=y, values=values, **settings)
        probes.append({
            "kind": kind, "C": C, "class_weight": "balanced" if balanced else "none",
            "auroc": float(area), "scores": round_all(scores),
            "coefficients": round_all(w), "intercept": float(b),
        })
    # Labels moved seven questions on, as a permutation might: refitted, and scored against themselves.
    moved = np.roll(y, -7 * ROWS_A_QUESTION)
    _, moved_area = cross_validate(x, moved, moved.astype(float), fold, kind="logistic", C=0.3, balanced=False)
    return {"n": n, "d": d, "positives": int(y.sum()), "probes": probes, "moved_auroc": float(moved_area)}


def make_network(n=90, d=12, units=32, epochs=100, C=0.05):
    """Full-batch Adam on (0.5 ||weights||^2 + sum of costs * log loss) / sum of costs, from hashed weights."""
    x, _, y = make(n, d)
    z = torch.tensor(StandardScaler().fit_transform(x.astype(np.float64)), dtype=torch.float32)
    costs = torch.tensor(C * weights_of(y, True), dtype=torch.float32)
    target = torch.tensor(y, dtype=torch.float32)
    hidden = torch.tensor([[hashed(j, u + 100) - 0.5 for u in range(units)] for j in range(d)], requires_grad=True)
    bias = torch.zeros(units, requires_grad=True)
    output = torch.tensor([hashed(u, 200) - 0.5 for u in range(units)], requires_grad=True)
    output_bias = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.Adam([hidden, bias, output, output_bias], lr=1e-3)

    def logits():
        return torch.relu(z @ hidden + bias) @ output + output_bias

    for _ in range(epochs):
        optimizer.zero_grad()
        losses = torch.nn.functional.binary_cross_entropy_with_logits(logits(), target, reduction="none")
        loss = (0.5 * (hidden.square().sum() + output.square().sum()) + (costs * losses).sum()) / costs.sum()
        loss.backward()
        optimizer.step()
    return {"n": n, "d": d, "C": C, "logits": round_all(logits().detach().numpy())}


print(json.dumps({
    "versions": {"numpy": np.__version__, "scikit-learn": sklearn.__version__, "torch": torch.__version__},
    "cases": [make_case(n, d) for n, d in SIZES],
    "network": make_network(),
}))
