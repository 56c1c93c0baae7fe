"""Published formulas that no package on PyPI has, written out from papers and from what the authors' code computes, on
the cases of estimate_cases.py: the variants of Kuhn et al. 2023, of Farquhar et al. 2024, of OATML's semantic entropy
probes and of the original notebook, clustering included; kernel language entropy on most probable verdicts;
SelfCheck-NLI; graphs of embeddings; the prompt of p(True).

Run: python estimates_published.py > ../estimates-published.json
Versions: Python 3.11, numpy 2.4, scipy 1.17. dtype: float64 throughout.
"""
import json

import numpy as np
import scipy
from scipy.linalg import expm, fractional_matrix_power
from scipy.special import logsumexp, softmax

from estimate_cases import cases

CONTRADICTION, NEUTRAL, ENTAILMENT = 0, 1, 2


def same_meaning(rule: str, probs: np.ndarray, i: int, j: int) -> bool:
    there, back = int(np.argmax(probs[i, j])), int(np.argmax(probs[j, i]))
    if rule == "strict":
        return there == ENTAILMENT and back == ENTAILMENT
    if rule == "lenient":
        return CONTRADICTION not in (there, back) and (there, back) != (NEUTRAL, NEUTRAL)
    if rule == "no-contradiction":
        return CONTRADICTION not in (there, back)
    return probs[i, j, ENTAILMENT] >= 0.6 and probs[j, i, ENTAILMENT] >= 0.6


def paper_clusters(rule: str, probs: np.ndarray) -> list[int]:
    """Farquhar et al., Methods; the notebook: join the first cluster whose first member means the same."""
    clusters: list[list[int]] = []
    for i in range(len(probs)):
        home = next((c for c in clusters if same_meaning(rule, probs, c[0], i)), None)
        if home is None:
            clusters.append([i])
        else:
            home.append(i)
    return [next(n for n, c in enumerate(clusters) if i in c) for i in range(len(probs))]


def oatml_clusters(rule: str, probs: np.ndarray) -> list[int]:
    """Each answer without an id takes the next one, and gives it to all later answers that mean the same."""
    n, ids, next_id = len(probs), [-1] * len(probs), 0
    for i in range(n):
        if ids[i] >= 0:
            continue
        ids[i] = next_id
        for j in range(i + 1, n):
            if same_meaning(rule, probs, i, j):
                ids[j] = next_id
        next_id += 1
    return ids


def kuhn_clusters(probs: np.ndarray, texts: list[str]) -> list[int]:
    """Over different texts: each pair that does not contradict gives the earlier one's set to the later one."""
    different = list(dict.fromkeys(texts))
    at = [texts.index(t) for t in different]
    sets = {t: n for n, t in enumerate(different)}
    for a in range(len(different)):
        for b in range(a + 1, len(different)):
            if same_meaning("no-contradiction", probs, at[a], at[b]):
                sets[different[b]] = sets[different[a]]
    return [sets[t] for t in texts]


def renumbered(ids: list[int]) -> list[int]:
    order = list(dict.fromkeys(ids))
    return [order.index(i) for i in ids]


def cluster_sums(ids, weights, aggregate: str) -> np.ndarray:
    ids, weights = np.array(ids), np.array(weights)
    groups = [weights[ids == c] for c in range(ids.max() + 1)]
    if aggregate == "sum":
        return np.array([logsumexp(g) - 5.0 for g in groups])
    if aggregate == "sum_normalized":
        return np.array([logsumexp(g) - logsumexp(weights) for g in groups])
    return np.array([logsumexp(g) - np.log(len(g)) for g in groups])


def plug_in(ids, weights) -> float:
    log_p = cluster_sums(ids, weights, "sum_normalized")
    return float(-np.sum(np.exp(log_p) * log_p))


def over_clusters(ids, weights, aggregate: str) -> float:
    return float(-np.mean(cluster_sums(ids, weights, aggregate)))


def notebook_entropy(ids, sums) -> float:
    """Of the softmax over the clusters' log-sum-exp."""
    p = softmax([logsumexp(np.array(sums)[np.array(ids) == c]) for c in range(max(ids) + 1)])
    return float(-np.sum(p * np.log(p)))


def kernel_entropy(probs: np.ndarray, kernel: str) -> float:
    verdict = np.array([0.0, 0.5, 1.0])[np.argmax(probs, -1)]
    weights = verdict + verdict.T
    np.fill_diagonal(weights, 0)
    laplacian = np.diag(weights.sum(0)) - weights
    n = len(weights)
    K = expm(-0.3 * laplacian) if kernel == "heat" else fractional_matrix_power(2 * np.eye(n) + laplacian, -1)
    density = K / np.sqrt(np.outer(np.diag(K), np.diag(K))) / n
    eigenvalues = np.linalg.eigvalsh(density)
    kept = eigenvalues[eigenvalues > 1e-8]
    return float(-np.sum(kept * np.log(kept)) / np.log(n))


def cosine_graph(similarity: np.ndarray) -> dict:
    W = np.maximum(similarity, 0)
    D = W.sum(1)
    L = np.eye(len(W)) - W / np.sqrt(np.outer(D, D))
    values, vectors = np.linalg.eigh(L)
    kept = vectors[:, values < 0.9]
    return {
        "degree_matrix_cosine": float(np.mean(1 - W)),
        "eigv_cosine": float(np.sum(np.maximum(0, 1 - values))),
        "eccentricity_cosine": float(np.linalg.norm(kept - kept.mean(0))),
    }


def expected(case: dict) -> dict:
    probs = np.stack([case["contradiction"], case["neutral"], case["entailment"]], -1)
    means = [float(np.mean(row)) for row in case["token_logprobs"]]
    sums = [float(np.sum(row)) for row in case["token_logprobs"]]
    ids = case["cluster_ids"]
    clusters = {
        "nature": paper_clusters("strict", probs),
        "oatml": renumbered(oatml_clusters("strict", probs)),
        "kuhn": renumbered(kuhn_clusters(probs, case["texts"])),
        "notebook": paper_clusters("threshold", probs),
    }
    others = [i for i in range(len(means)) if i != case["best"]]
    row = probs[case["best"]][others]
    return {
        "clusters": clusters,
        "lenient_clusters": paper_clusters("lenient", probs),
        "modes": {
            "nature": plug_in(clusters["nature"], means),
            "oatml": over_clusters(clusters["oatml"], means, "sum"),
            "kuhn": over_clusters(clusters["kuhn"], means, "sum"),
            "notebook": notebook_entropy(clusters["notebook"], sums),
        },
        "estimates": {
            "nature_semantic_entropy": plug_in(ids, means),
            "sum_logprob_semantic_entropy": notebook_entropy(ids, sums),
            "kuhn_semantic_entropy": over_clusters(ids, means, "sum"),
            "oatml_semantic_entropy_sum_normalized": over_clusters(ids, means, "sum_normalized"),
            "oatml_semantic_entropy_cmean": over_clusters(ids, means, "mean"),
            "kuhn_unnormalised_semantic_entropy": over_clusters(ids, sums, "sum"),
            "oatml_semantic_entropy_sum_sum_normalized": over_clusters(ids, sums, "sum_normalized"),
            "oatml_semantic_entropy_sum_cmean": over_clusters(ids, sums, "mean"),
            "lexical_entropy": notebook_entropy(list(range(len(sums))), sums),
            "max_token_entropy": float(np.mean([max(row) for row in case["token_entropies"]])),
            "kernel_language_entropy_heat": kernel_entropy(probs, "heat"),
            "kernel_language_entropy_matern": kernel_entropy(probs, "matern"),
            **cosine_graph(np.array(case["similarity"])),
        },
        "selfcheck_nli_of_best": float(np.mean(row[:, 0] / (row[:, 0] + row[:, 2]))),
    }


def repeated() -> dict:
    """a and c agree, b and c agree: c goes to b. The second a is a like the first, and does not follow c."""
    texts = ["a", "b", "c", "a"]
    agree = {("a", "c"), ("b", "c"), ("c", "a"), ("c", "b"), ("a", "a"), ("b", "b"), ("c", "c")}
    probs = np.array([[[0.1, 0.1, 0.8] if (s, t) in agree else [0.8, 0.1, 0.1] for t in texts] for s in texts])
    return {"texts": texts, "probs": probs.tolist(), "clusters": renumbered(kuhn_clusters(probs, texts))}


def p_true_prompt(question: str, brainstormed: list[str], answer: str, shots: list[dict]) -> str:
    """As OATML/semantic-entropy-probes puts it together: shots end in a space before each newline, the question not."""
    text = ""
    for n, shot in enumerate(shots):
        text += "\n" if n > 0 else ""
        text += f"Question: {shot['question']}\nBrainstormed Answers: "
        text += "".join(f"{each.strip()} \n" for each in [shot["answer"], *shot["brainstormed"]])
        text += f"Possible answer: {shot['answer']}\nIs the possible answer:\nA) True\nB) False\n"
        text += "The possible answer is:" + (" A" if shot["correct"] else " B")
    text += "\n" if shots else ""
    text += f"Question: {question}\nBrainstormed Answers: "
    text += "".join(f"{each.strip()}\n" for each in [*brainstormed, answer])
    return text + f"Possible answer: {answer}\nIs the possible answer:\nA) True\nB) False\nThe possible answer is:"


SHOTS = [
    {"question": "2 + 2?", "brainstormed": [" 4", "four "], "answer": "4", "correct": True},
    {"question": "Capital of Peru?", "brainstormed": ["Quito"], "answer": " Quito", "correct": False},
]
ASKED = {"question": "Who wrote Emma?", "brainstormed": ["Austen ", "Jane Austen"], "answer": " Jane Austen"}

print(json.dumps({
    "versions": {"numpy": np.__version__, "scipy": scipy.__version__},
    "cases": [expected(case) for case in cases()],
    "repeated": repeated(),
    "p_true": {
        "shots": SHOTS, "asked": ASKED,
        "few_shot": p_true_prompt(**ASKED, shots=SHOTS), "zero_shot": p_true_prompt(**ASKED, shots=[]),
    },
}, separators=(",", ":")))
