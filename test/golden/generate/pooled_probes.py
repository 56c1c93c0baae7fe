"""Probes that pool the tokens of spans, fitted by torch's L-BFGS on arrays that TypeScript regenerates from a formula.

Run: python test/golden/generate/pooled_probes.py > test/golden/pooled-probes.json
Loss, penalty, starts and the stages of the soft maximum are those of src/probes/pooled/fit-pooled.ts; the optimiser (torch.optim.LBFGS,
strong Wolfe line search) and the gradients (autograd) are torch's. dtype: float64 arithmetic on float32 features.
"""
import json
import sys

from hashed import hashed

sys.path.pop(0)  # torch imports the standard library's statistics, and there is another one in this folder
import numpy as np  # noqa: E402
import torch  # noqa: E402

torch.set_default_dtype(torch.float64)
SPANS, WIDTH, WINDOW = 90, 6, 4
STAGES = [2, 8, 32]
CASES = [(method, C, weight) for method in ("mean", "max", "rolling-max", "attention") for C, weight in ((0.03, "none"), (1.0, "balanced"))]


def make():
    lengths = [3 + int(18 * hashed(i, 5555)) for i in range(SPANS)]
    labels = [1 if hashed(i, 7777) > 0.55 else 0 for i in range(SPANS)]
    spans, token = [], 0
    for i, length in enumerate(lengths):
        x = np.empty((length, WIDTH), dtype=np.float32)
        marked = int(length * hashed(i, 8888))
        for t in range(length):
            for j in range(WIDTH):
                signal = 1.5 * labels[i] if t == marked and j < 2 else 0.0
                if j == 2 and t == marked:
                    signal = 1.0
                x[t, j] = (1 + j % 3) * (hashed(token, j) - 0.5 + signal) + j
            token += 1
        spans.append(x)
    return spans, np.array(labels)


spans, labels = make()
tokens = np.concatenate(spans).astype(np.float64)
mean, scale = tokens.mean(0), tokens.std(0)
Z = [torch.tensor((x.astype(np.float64) - mean) / scale) for x in spans]
y = torch.tensor(labels, dtype=torch.float64)


def windows(scores, method):
    size = min(WINDOW, len(scores)) if method == "rolling-max" else 1
    return scores.unfold(0, size, 1).mean(1)


def pool(method, sharpness, v, b, q, z):
    s = z @ v
    if method == "mean" or sharpness == 0:
        return s.mean() + b
    if method == "attention":
        return torch.softmax(z @ q, 0) @ s + b
    u = windows(s, method)
    if sharpness is None:
        return u.max() + b
    return (torch.logsumexp(sharpness * u, 0) - np.log(len(u))) / sharpness + b


def minimise(method, sharpness, C, costs, parameters):
    v, b, q = (p.clone().requires_grad_(True) for p in parameters)
    free = [v, b, q] if method == "attention" and sharpness != 0 else [v, b]
    optimiser = torch.optim.LBFGS(free, max_iter=2000, tolerance_grad=1e-11, tolerance_change=0, history_size=20, line_search_fn="strong_wolfe")

    def objective():
        f = torch.stack([pool(method, sharpness, v, b, q, z) for z in Z])
        loss = torch.nn.functional.binary_cross_entropy_with_logits(f, y, reduction="none")
        return (v @ v + q @ q) / 2 + C * (costs * loss).sum()

    def closure():
        optimiser.zero_grad()
        value = objective()
        value.backward()
        return value

    optimiser.step(closure)
    value = closure()
    gradient = torch.cat([p.grad.reshape(-1) for p in free]).norm() / torch.cat([p.detach().reshape(-1) for p in free]).norm()
    assert gradient < 1e-6, (method, sharpness, C, gradient)
    return [p.detach() for p in (v, b, q)], float(value)


cases = []
for method, C, weight in CASES:
    counts = np.bincount(labels)
    costs = torch.tensor(len(labels) / (2 * counts)[labels] if weight == "balanced" else np.ones(len(labels)))
    start = [torch.zeros(WIDTH), torch.zeros(()), torch.zeros(WIDTH)]
    parameters, value = minimise("mean", 0, C, costs, start)
    if method == "attention":
        parameters, value = minimise(method, None, C, costs, parameters)
    if "max" in method:
        for stage in STAGES:
            spread = float(torch.stack([windows(z @ parameters[0], method).std(correction=0) for z in Z]).mean())
            parameters, value = minimise(method, stage / spread, C, costs, parameters)
    v, b, q = parameters
    scores = [float(pool(method, None, v, b, q, z)) for z in Z]
    cases.append({
        "method": method,
        "C": C,
        "class_weight": weight,
        "value": value,
        "coefficients": v.tolist(),
        "intercept": float(b),
        "query": q.tolist() if method == "attention" else None,
        "scores": [float(f"{s:.10g}") for s in scores],
    })

print(json.dumps({"versions": {"torch": torch.__version__, "numpy": np.__version__}, "spans": SPANS, "width": WIDTH, "window": WINDOW, "cases": cases}, indent=1))
