"""Oracle for symmetric eigenvalues and spectral groups, in float64.
Run: python spectral_groups.py > ../spectral-groups.json (made with Python 3.11, numpy 2.4.6, scikit-learn 1.9.1)

`eigen`: numpy.linalg.eigh of random symmetric matrices, some with equal eigenvalues.
`groups`: affinities with planted blocks in noise. `group_count` is the position of the widest gap between the
eigenvalues of the normalised Laplacian (numpy), 1 standing beyond the last; `group_ids` is scikit-learn's
spectral_clustering with that many clusters and assign_labels="cluster_qr", numbered by first appearance.
"""

import json

import numpy as np
from sklearn.cluster import spectral_clustering

rng = np.random.default_rng(20240619)


def eigen_case(n, repeat=False):
    a = rng.normal(size=(n, n))
    a = (a + a.T) / 2
    if repeat:
        q, _ = np.linalg.qr(a)
        a = q @ np.diag([1.0] * (n // 2) + list(rng.normal(size=n - n // 2))) @ q.T
        a = (a + a.T) / 2
    values = np.linalg.eigvalsh(a)
    return {"matrix": a.tolist(), "values": values.tolist()}


def laplacian(w):
    s = 1 / np.sqrt(w.sum(axis=1))
    return np.eye(len(w)) - w * s[:, None] * s[None, :]


def group_count(values):
    gaps = np.diff(np.append(values, max(1.0, values[-1])))
    return 1 + int(np.argmax(gaps >= gaps.max() - 1e-9))


def first_appearance(labels):
    numbers = {}
    return [numbers.setdefault(label, len(numbers)) for label in labels]


def group_case(sizes, inside, outside, spread):
    ids = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    n = len(ids)
    w = np.where(ids[:, None] == ids[None, :], inside, outside) + rng.uniform(-spread, spread, size=(n, n))
    w = np.clip((w + w.T) / 2, 0, 1)
    np.fill_diagonal(w, 1)
    w = np.round(w, 4)
    values = np.linalg.eigvalsh(laplacian(w))
    k = group_count(values)
    if k == 1:
        labels = [0] * n
    elif k == n:
        labels = list(range(n))
    else:
        labels = spectral_clustering(w, n_clusters=k, assign_labels="cluster_qr", random_state=0).tolist()
    return {
        "affinity": w.tolist(),
        "eigenvalues": values.tolist(),
        "group_count": k,
        "group_ids": first_appearance(labels),
        "planted_ids": first_appearance(ids.tolist()),
    }


cases = {
    "eigen": [eigen_case(n) for n in (1, 2, 3, 6, 12)] + [eigen_case(n, repeat=True) for n in (4, 9)],
    "groups": [
        group_case([3, 3], 0.9, 0.05, 0.05),
        group_case([5, 2, 1], 0.9, 0.05, 0.05),
        group_case([4, 4, 4], 0.8, 0.1, 0.1),
        group_case([6, 3, 2, 2], 0.85, 0.1, 0.1),
        group_case([10, 5, 5], 0.7, 0.15, 0.1),
        group_case([8], 0.9, 0.0, 0.1),
        group_case([1] * 7, 1.0, 0.05, 0.05),
        group_case([2, 1], 0.95, 0.02, 0.02),
        group_case([7, 5, 3, 3, 2], 0.9, 0.05, 0.05),
    ],
}
print(json.dumps(cases, separators=(",", ":")))
