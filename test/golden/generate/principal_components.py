"""Principal components by scikit-learn's full singular value decomposition.

Run: python test/golden/generate/principal_components.py > test/golden/principal-components.json
dtype: float64 throughout.
"""
import json

import numpy as np
import sklearn
from sklearn.decomposition import PCA

rng = np.random.default_rng(11)
CASES = {
    "more points than columns": rng.normal(size=(40, 6)) @ np.diag([5, 4.8, 2, 1, 0.5, 0.1]) + 3,
    "more columns than points": rng.normal(size=(9, 30)),
    "on a line": np.outer(np.arange(7.0), [1, -2, 2]) + [10, 20, 30],
}

cases = {}
for name, X in CASES.items():
    X = X.round(6)
    pca = PCA(n_components=2, svd_solver="full").fit(X)
    scores = pca.transform(X)
    peaks = np.abs(scores).argmax(axis=0)
    scores = scores * np.sign(scores[peaks, [0, 1]])
    cases[name] = {"X": X.tolist(), "scores": scores.T.tolist(), "shares": pca.explained_variance_ratio_.tolist()}
print(json.dumps({"numpy": np.__version__, "scikit-learn": sklearn.__version__, "cases": cases}))
