"""What a score adds to others, logistic regressions on few columns and on texts, AUGRC and pooled AUROC.

Run: python test/golden/generate/audit.py > test/golden/audit.json
dtype: float64 throughout. AUGRC is the trapezoid rule on the generalised risk-coverage curve, by scikit-learn's `auc`; out-of-fold
deviances are scikit-learn's `log_loss` of `LogisticRegression` over given folds.
"""
import json

import numpy as np
import scipy
import sklearn
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import auc, log_loss, roc_auc_score

rng = np.random.default_rng(19)
EXACT = {"tol": 1e-12, "max_iter": 10_000, "solver": "newton-cholesky"}

questions, rows = 40, 5
question = np.repeat(np.arange(questions), rows)
difficulty = np.repeat(rng.normal(size=questions), rows)
labels = (rng.random(questions * rows) < 1 / (1 + np.exp(-1.5 * difficulty))).astype(int)
others = np.stack([difficulty + rng.normal(size=len(labels)), rng.normal(size=len(labels))])
score = 0.7 * difficulty + 0.5 * others[0] + rng.normal(size=len(labels))

fit = LogisticRegression(C=1 / 2.5, **EXACT).fit(others.T, labels)

# the folds are those of the TypeScript function, by question modulo 5 here: the test compares the parts of the formula
fold = question % 5


def standardise(x):
    return (x - x.mean()) / x.std()


def out_of_fold(columns):
    found = np.zeros(len(labels))
    for f in range(5):
        model = LogisticRegression(C=1.0, **EXACT).fit(columns[fold != f], labels[fold != f])
        found[fold == f] = model.predict_proba(columns[fold == f])[:, 1]
    return found


base = np.stack([standardise(x) for x in others], axis=1)
with_score = np.column_stack([base, standardise(score)])
without_p, with_p = out_of_fold(base), out_of_fold(with_score)

texts = [sorted(rng.choice(30, size=rng.integers(2, 9), replace=False).tolist()) for _ in range(80)]
text_labels = np.array([int((3 in t) + (7 in t) + rng.random() > 1.0) for t in texts])
values = [1 / np.sqrt(len(t)) for t in texts for _ in t]
matrix = csr_matrix((values, ([i for i, t in enumerate(texts) for _ in t], [w for t in texts for w in t])), shape=(80, 30))
text_fit = LogisticRegression(C=2.0, tol=1e-12, max_iter=10_000, solver="lbfgs").fit(matrix.toarray(), text_labels)

selective = []
for digits in (9, 1):
    s = np.round(0.6 * labels + rng.random(len(labels)), digits)
    # tied answers are given together, so the curve has a corner for each distinct score
    levels = np.unique(s)
    coverage = [0.0] + [float((s <= level).mean()) for level in levels]
    risk = [0.0] + [float(((s <= level) & (labels == 1)).mean()) for level in levels]
    selective.append({"scores": s.tolist(), "augrc": float(auc(coverage, risk)), "auroc": float(roc_auc_score(labels, s))})

print(json.dumps({
    "versions": {"numpy": np.__version__, "scipy": scipy.__version__, "scikit-learn": sklearn.__version__},
    "labels": labels.tolist(), "questions": question.tolist(), "fold": fold.tolist(),
    "others": others.tolist(), "score": score.tolist(),
    "regression": {"ridge": 2.5, "coefficients": fit.coef_[0].tolist(), "intercept": float(fit.intercept_[0])},
    "nested": {
        "deviance_without": float(2 * log_loss(labels, without_p)), "deviance_with": float(2 * log_loss(labels, with_p)),
        "auc_without": float(roc_auc_score(labels, without_p)), "auc_with": float(roc_auc_score(labels, with_p)),
    },
    "texts": {"columns": texts, "labels": text_labels.tolist(), "C": 2.0,
              "coefficients": text_fit.coef_[0].tolist(), "intercept": float(text_fit.intercept_[0])},
    "selective": selective,
}))
