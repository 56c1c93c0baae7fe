"""Rank statistics, quantiles, the normal distribution and BCa intervals from scikit-learn, numpy and scipy.

Run: python test/golden/generate/rank_statistics.py > test/golden/rank-statistics.json
dtype: float64 throughout.
"""
import json

import numpy as np
import scipy
import sklearn
from scipy import stats
from scipy.stats._resampling import _bca_interval
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score, roc_curve

rng = np.random.default_rng(0)

rankings = []
for n, digits in [(12, 1), (40, 1), (40, 6), (150, 2)]:
    labels = (rng.random(n) < 0.4).astype(int)
    labels[:2] = [0, 1]
    scores = np.round(0.3 * labels + rng.random(n), digits)  # few digits make ties
    weights = rng.integers(0, 4, n)  # multiplicities, as a bootstrap draws them
    weights[:2] = 1
    probabilities = np.clip(scores / 1.3, 0, 1)
    fpr, tpr, thresholds = roc_curve(labels, scores, drop_intermediate=False)
    order = np.argsort(scores, kind="stable")
    untied = scores + 1e-9 * np.arange(n)
    kept = np.cumsum((1 - labels)[np.argsort(untied)]) / np.arange(1, n + 1)
    oracle = np.cumsum(np.sort(labels) == 0) / np.arange(1, n + 1)
    base = 1 - labels.mean()
    rankings.append({
        "scores": scores.tolist(), "labels": labels.tolist(), "weights": weights.tolist(),
        "auroc": roc_auc_score(labels, scores),
        "weighted_auroc": roc_auc_score(labels, scores, sample_weight=weights),
        "average_precision": average_precision_score(labels, scores),
        "weighted_average_precision": average_precision_score(labels, scores, sample_weight=weights),
        "fpr": fpr.tolist(), "tpr": tpr.tolist(), "thresholds": thresholds[1:].tolist(),
        "probabilities": probabilities.tolist(),
        "brier": brier_score_loss(labels, probabilities),
        # lm-polygraph's prediction-rejection ratio, on scores whose ties were broken
        "untied_scores": untied.tolist(),
        "prr": (kept.mean() - base) / (oracle.mean() - base),
    })

values = np.round(rng.normal(size=25), 3)
probabilities = [0.0, 0.025, 0.1, 0.5, 0.77, 0.975, 1.0]
points = [-37.0, -10.0, -6.0, -3.0001, -3.0, -1.5, -0.1, 0.0, 0.3, 2.9999, 3.5, 8.0]
tails = [1e-300, 1e-20, 1e-6, 0.001, 0.02424, 0.02426, 0.3, 0.5, 0.9, 0.999, 1 - 1e-12]

sample = rng.exponential(size=18)
replicates = np.array([rng.choice(sample, 18).mean() for _ in range(500)])
bca = []
for level in (0.9, 0.95):
    low, high, _ = _bca_interval((sample,), lambda x, axis=-1: x.mean(axis=axis), axis=-1,
                                 alpha=(1 - level) / 2, theta_hat_b=replicates, batch=None, xp=np)
    bca.append({"level": level, "low": float(np.percentile(replicates, 100 * float(low))),
                "high": float(np.percentile(replicates, 100 * float(high)))})

print(json.dumps({
    "versions": {"numpy": np.__version__, "scipy": scipy.__version__, "scikit-learn": sklearn.__version__},
    "rankings": rankings,
    "quantiles": {"values": values.tolist(), "probabilities": probabilities,
                  "expected": np.quantile(values, probabilities).tolist()},
    "normal": {"points": points, "cdf": stats.norm.cdf(points).tolist(),
               "probabilities": tails, "quantiles": stats.norm.ppf(tails).tolist()},
    "bca": {"sample": sample.tolist(), "replicates": replicates.tolist(), "intervals": bca},
}))
