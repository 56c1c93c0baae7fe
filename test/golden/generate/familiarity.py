"""Distances from training states by scikit-learn's PCA and LedoitWolf, and conformal p-values.

Run: python test/golden/generate/familiarity.py > test/golden/familiarity.json
States come from integer hashes, so that TypeScript makes the same ones. dtype: float64 arithmetic on float32 states.
"""
import json

import numpy as np
import sklearn
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from hashed import hashed


def states(n, d, seed):
    """Correlated columns of falling spread: each state is a sum of a few hidden factors and noise."""
    rows = [
        [
            sum((hashed(1000 * seed + i, 100 + f) - 0.5) * (hashed(f, 200 + j) - 0.5) * 8 / (1 + f) for f in range(8))
            + 0.3 * (hashed(1000 * seed + i, 300 + j) - 0.5)
            + j
            for j in range(d)
        ]
        for i in range(n)
    ]
    return np.array(rows).astype(np.float32).astype(np.float64)


def golden(n, m, d):
    training, validation = states(n, d, 1), states(m, d, 2)
    others = states(5, d, 3)
    middle = np.arange(d)
    others = (middle + np.array([[0.8], [1], [1.1], [1.3], [2]]) * (others - middle)).astype(np.float32).astype(np.float64)
    scaler = StandardScaler().fit(training)
    mean, scale = (each.astype(np.float32).astype(np.float64) for each in (scaler.mean_, scaler.scale_))
    z = (training - mean) / scale
    k = min(32, n // 5, d)
    pca = PCA(k, svd_solver="full").fit(z)
    scores = pca.transform(z)
    shrunk = LedoitWolf().fit(scores)
    residual = ((z - pca.inverse_transform(scores)) ** 2).sum() / n / (d - k)

    def distance(x):
        own = (x - mean) / scale
        along = pca.transform(own)
        rest = ((own - pca.inverse_transform(along)) ** 2).sum(axis=1)
        return np.sqrt(shrunk.mahalanobis(along) + rest / residual)

    known, found = distance(validation), distance(others)
    p_values = [(1 + int((known >= one).sum())) / (1 + m) for one in found]
    return {
        "n": n,
        "m": m,
        "d": d,
        "mean": mean.tolist(),
        "scale": scale.tolist(),
        "shrinkage": shrunk.shrinkage_,
        "covariance_diagonal": np.diag(shrunk.covariance_).tolist(),
        "residual_variance": residual,
        "validation_distances": sorted(known.tolist()),
        "distances": found.tolist(),
        "p_values": p_values,
    }


cases = [golden(100, 25, 40), golden(30, 40, 64)]
print(json.dumps({"numpy": np.__version__, "scikit-learn": sklearn.__version__, "cases": cases}))
