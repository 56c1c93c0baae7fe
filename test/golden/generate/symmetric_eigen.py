"""Eigenvalues of symmetric matrices from numpy: random ones, of low rank, with equal eigenvalues, badly scaled.

Run: python symmetric_eigen.py > ../symmetric-eigen.json
Versions: numpy 2.4. dtype: float64.
"""
import json

import numpy as np

rng = np.random.default_rng(1)


def case(A: np.ndarray) -> dict:
    A = (A + A.T) / 2
    return {"matrix": A.tolist(), "values": np.linalg.eigvalsh(A).tolist()}


def random(n: int) -> np.ndarray:
    return np.round(rng.normal(size=(n, n)), 6)


low = random(8)[:, :2]
laplacian = np.kron(np.eye(3), 3 * np.eye(3) - np.ones((3, 3)))
matrices = [random(n) for n in (1, 2, 3, 5, 10, 20)]
matrices += [low @ low.T, laplacian, np.diag([3.0, 1.0, 2.0]), np.zeros((4, 4)), 1e12 * random(6), 1e-12 * random(6)]
matrices += [np.diag([1e-8, 1.0, 1e8]) + 1e-9 * random(3)]
print(json.dumps({"versions": {"numpy": np.__version__}, "cases": [case(A) for A in matrices]}))
