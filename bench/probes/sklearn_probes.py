"""The scikit-learn side of bench/probes.js, as a user writes it: for each layer and target a grid search over C of
StandardScaler and LogisticRegression, folds by question, all cores.

Run: python bench/probes/sklearn_probes.py JOB.json; prints one JSON line.
Job: {"data", "layers": [..], "penalties": [..], "dtype", "tol", "permutations", "C", "layer"}
"""
import json
import resource
import sys
import time
import warnings

import numpy as np
import sklearn
from safetensors import safe_open
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, permutation_test_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

warnings.simplefilter("ignore", ConvergenceWarning)
TARGETS = ["incorrect", "high"]


def read(path, name):
    with safe_open(path, "np") as file:
        return file.get_tensor(name)


def make_probe(job, **settings):
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=10_000, tol=job["tol"], **settings))


def search_layers(job):
    group = read(job["data"], "group")
    found = []
    start = time.perf_counter()
    for layer in job["layers"]:
        X = read(job["data"], f"think-end.layer.{layer}").astype(job["dtype"])
        for target in TARGETS:
            y = read(job["data"], target)
            search = GridSearchCV(
                make_probe(job),
                {"logisticregression__C": job["penalties"]},
                cv=GroupKFold(5),
                scoring="roc_auc",
                n_jobs=-1,
            ).fit(X, y, groups=group)
            model = search.best_estimator_[-1]
            found.append({
                "layer": layer,
                "target": target,
                "C": float(search.best_params_["logisticregression__C"]),
                "auroc": [float(score) for score in search.cv_results_["mean_test_score"]],
                "coefficients": [float(w) for w in model.coef_[0]],
            })
    return time.perf_counter() - start, found


def permute(job):
    """permutation_test_score of one layer's accuracy probe at a given C."""
    X = read(job["data"], f"think-end.layer.{job['layer']}").astype(job["dtype"])
    y = read(job["data"], "incorrect")
    group, fold = read(job["data"], "group"), read(job["data"], "fold")
    folds = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(5)]
    start = time.perf_counter()
    permutation_test_score(
        make_probe(job, C=job["C"]), X, y, cv=folds, scoring="roc_auc", n_permutations=job["permutations"], n_jobs=-1,
        random_state=0,
    )
    return time.perf_counter() - start, []


job = json.load(open(sys.argv[1]))
seconds, found = permute(job) if job["permutations"] else search_layers(job)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss + resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(json.dumps({
    "seconds": seconds,
    "probes": found,
    # of the parent and of its largest worker, of which there is one a core
    "peakRssBytes": peak * 1024,
    "versions": {"scikit-learn": sklearn.__version__, "numpy": np.__version__},
}))
