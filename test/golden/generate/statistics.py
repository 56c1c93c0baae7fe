"""Calibration, curves, tests and power from scikit-learn and scipy; plain formulas where neither has the number.

Run: python test/golden/generate/statistics.py > test/golden/statistics.json
dtype: float64 throughout.
"""
import json
import math

import numpy as np
import scipy
import sklearn
from scipy import optimize, stats
from scipy.special import expit, logit
from sklearn.calibration import _SigmoidCalibration, calibration_curve
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import brier_score_loss, precision_recall_curve, roc_curve

rng = np.random.default_rng(5)
GRID = np.arange(51) / 50


def platt(values, labels):
    """The maximum of Platt's likelihood, to the last digits."""
    ones = labels.sum()
    targets = np.where(labels == 1, (ones + 1) / (ones + 2), 1 / (len(labels) - ones + 2))

    def loss(theta):
        score = theta[0] * values + theta[1]
        return np.sum(np.logaddexp(0, score) - targets * score)

    def gradient(theta):
        error = expit(theta[0] * values + theta[1]) - targets
        return np.array([error @ values, error.sum()])

    def hessian(theta):
        p = expit(theta[0] * values + theta[1])
        w = p * (1 - p)
        return np.array([[w @ values**2, w @ values], [w @ values, w.sum()]])

    found = optimize.minimize(loss, [0.0, 0.0], jac=gradient, hess=hessian, method="trust-exact",
                              options={"gtol": 1e-12, "maxiter": 500})
    theta = found.x
    for _ in range(5):  # the minimiser stops where the loss does not change any more, before the gradient is 0
        theta = theta - np.linalg.solve(hessian(theta), gradient(theta))
    return theta.tolist()


calibrations = []
for n, digits in [(30, 2), (200, 6), (200, 1)]:
    labels = (rng.random(n) < 0.4).astype(int)
    labels[:2] = [0, 1]
    scores = np.clip(np.round(expit(1.5 * labels + 0.8 * rng.normal(size=n) - 1), digits), 0.001, 0.999)
    values = logit(scores)
    theirs = _SigmoidCalibration().fit(values, labels)
    isotonic = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(scores, labels)
    # A score on a border belongs to the bin above it here, to the one below in scikit-learn.
    prob_true, prob_pred = calibration_curve(labels, scores + 1e-9, n_bins=10, strategy="uniform")
    bins = np.minimum((scores * 10).astype(int), 9)
    ece = sum(abs(scores[bins == b].sum() - labels[bins == b].sum()) for b in range(10)) / n
    calibrations.append({
        "scores": scores.tolist(), "labels": labels.tolist(),
        "platt": platt(values, labels),
        "sklearn_platt": [-float(theirs.a_), -float(theirs.b_)],
        "isotonic_x": isotonic.X_thresholds_.tolist(), "isotonic_y": isotonic.y_thresholds_.tolist(),
        "isotonic_at": isotonic.predict(GRID).tolist(),
        "bins_true": prob_true.tolist(), "bins_predicted": prob_pred.tolist(),
        "ece": float(ece), "brier": brier_score_loss(labels, scores),
    })

curves = []
for n, digits in [(40, 9), (150, 1)]:
    labels = (rng.random(n) < 0.4).astype(int)
    labels[:2] = [0, 1]
    scores = np.round(0.4 * labels + rng.random(n), digits)
    fpr, tpr, _ = roc_curve(labels, scores, drop_intermediate=False)
    # At a border that several corners share, the highest one.
    roc = [max(np.interp(x, fpr, tpr), tpr[fpr <= x + 1e-12].max()) for x in GRID]
    precision, recall, _ = precision_recall_curve(labels, scores)
    # of the thresholds that reach the recall, the highest; at 0 the highest score's
    pr = [precision[:-1][(recall[:-1] >= x - 1e-12)][-1] for x in GRID]
    distinct, inverse, count = np.unique(scores, return_inverse=True, return_counts=True)
    share = np.bincount(inverse, labels) / count  # tied rows count by their mean
    wrong = np.concatenate([[0], np.cumsum(share[np.sort(inverse)])])
    risk = [share[0]] + [np.interp(x * n, np.arange(n + 1), wrong) / (x * n) for x in GRID[1:]]
    curves.append({"scores": scores.tolist(), "labels": labels.tolist(),
                   "roc": [float(x) for x in roc], "precision_recall": [float(x) for x in pr],
                   "risk_coverage": [float(x) for x in risk]})

degrees = [1, 2, 3, 5, 8, 29, 149]
tails = [0.55, 0.9, 0.95, 0.975, 0.999]
student = {"degrees": degrees, "probabilities": tails,
           "quantiles": [[float(stats.t.ppf(p, d)) for p in tails] for d in degrees]}

# AUROC influences by comparing every positive with every negative
n = 60
question = np.repeat(np.arange(12), 5)
difficulty = rng.normal(size=12)[question]
labels = (difficulty + rng.normal(size=n) > 0.3).astype(int)
first = np.round(difficulty + rng.normal(size=n), 1)
second = np.round(0.5 * difficulty + rng.normal(size=n), 1)


def kernel(scores):
    a, b = scores[labels == 1][:, None], scores[labels == 0][None, :]
    return (a > b) + 0.5 * (a == b)


def influences(scores):
    k = kernel(scores)
    area = k.mean()
    out = np.empty(n)
    out[labels == 1] = (k.mean(axis=1) - area) / (labels == 1).sum()
    out[labels == 0] = (k.mean(axis=0) - area) / (labels == 0).sum()
    return area, out


area1, influence1 = influences(first)
area2, influence2 = influences(second)
parts = np.bincount(question, influence1 - influence2) + (area1 - area2) / 12
exact = stats.permutation_test((parts,), lambda x, axis: x.sum(axis=axis), permutation_type="samples",
                               n_resamples=np.inf, alternative="two-sided", vectorized=True)
paired = {"questions": [f"q{i}" for i in question], "labels": labels.tolist(),
          "first": first.tolist(), "second": second.tolist(), "difference": float(area1 - area2),
          "influences": influence1.tolist(), "p_value": float(exact.pvalue)}

# Holm: the largest of all p_(j) (m - j), j <= i
raw = [0.01, 0.04, 0.03, 0.005, 0.6]
order = np.argsort(raw)
steps = np.maximum.accumulate([min(1, raw[i] * (len(raw) - r)) for r, i in enumerate(order)])
holm = np.empty(len(raw))
holm[order] = steps

# equal groups: (F - 1) / (F + m - 1)
f = stats.f_oneway(*[labels[question == q] for q in range(12)]).statistic
icc = float((f - 1) / (f + 5 - 1))

conformal_scores = np.round(rng.random(37), 3)
conformal = [{"coverage": c,
              "threshold": float(np.sort(conformal_scores)[math.ceil(38 * c - 1e-9) - 1])} for c in (0.5, 0.8, 0.9, 0.95)]

print(json.dumps({
    "versions": {"numpy": np.__version__, "scipy": scipy.__version__, "scikit-learn": sklearn.__version__},
    "calibrations": calibrations, "curves": curves, "student": student, "paired": paired,
    "holm": {"raw": raw, "corrected": holm.tolist()}, "icc": icc,
    "conformal": {"scores": conformal_scores.tolist(), "thresholds": conformal},
}))
