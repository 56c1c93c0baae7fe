"""Entropies of random clusterings, written out from the papers' equations with numpy and scipy's logsumexp.
Run: python semantic_entropy.py > ../semantic-entropy.json"""

import json
import sys

import numpy as np
import scipy
from scipy.special import logsumexp

rng = np.random.default_rng(0)


def weighted(ids: np.ndarray, weights: np.ndarray) -> tuple[list[float], float]:
    log_p = np.array([logsumexp(weights[ids == c]) for c in range(ids.max() + 1)]) - logsumexp(weights)
    p = np.exp(log_p)
    p = p / p.sum()
    return p.tolist(), float(-np.sum(p[p > 0] * np.log(p[p > 0])))


cases = []
for _ in range(40):
    k = int(rng.integers(1, 21))
    raw = rng.integers(0, rng.integers(1, k + 1), k)
    _, ids = np.unique(raw, return_inverse=True)
    lengths = rng.integers(1, 60, k)
    logprobs = [(-rng.exponential(0.7, n)).tolist() for n in lengths]
    mean = np.array([np.mean(row) for row in logprobs])
    total = np.array([np.sum(row) for row in logprobs])
    share = np.bincount(ids) / k
    probs, nature = weighted(ids, mean)
    cases.append(
        {
            "cluster_ids": ids.tolist(),
            "mean_logprobs": mean.tolist(),
            "sum_logprobs": total.tolist(),
            "cluster_probs": probs,
            "semantic_entropy": nature,
            "sum_logprob_semantic_entropy": weighted(ids, total)[1],
            "discrete_semantic_entropy": float(-np.sum(share * np.log(share))),
            "regular_entropy": float(-mean.mean()),
        }
    )
versions = {"python": sys.version.split()[0], "numpy": np.__version__, "scipy": scipy.__version__}
json.dump({"versions": versions, "dtype": "float64", "cases": cases}, sys.stdout)
