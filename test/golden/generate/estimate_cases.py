"""Questions with samples that every reference of the uncertainty estimates is given, from one seed.

Run: python estimate_cases.py > ../estimate-cases.json
Versions: Python 3.11, numpy 2.4. dtype: float64; numbers are rounded so that the file stays small.
"""
import json

import numpy as np

WORDS = "paris the capital of france is running runs quickly happily nation national 42 seven".split()


def nli_matrix(rng: np.random.Generator, n: int) -> np.ndarray:
    """[n, n, 3] contradiction, neutral, entailment; each text mostly entails itself, and often others."""
    logits = rng.normal(0, 2, (n, n, 3))
    logits[:, :, 2] += rng.uniform(0, 4)
    logits[np.arange(n), np.arange(n), 2] += 6
    probs = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    probs = np.round(0.999 * probs + 0.001 / 3, 4)
    probs[:, :, 1] = np.round(1 - probs[:, :, 0] - probs[:, :, 2], 4)
    return probs


def make_case(rng: np.random.Generator, k: int) -> dict:
    different = int(rng.integers(1, k + 1))
    pool: list[str] = []
    while len(pool) < different:
        text = " ".join(rng.choice(WORDS, rng.integers(1, 6)))
        if text not in pool:
            pool.append(text)
    picks = [int(i) for i in rng.integers(0, different, k)]
    texts = [pool[i] for i in picks]
    nli = nli_matrix(rng, different)
    gram = rng.normal(size=(different, 5))
    gram /= np.linalg.norm(gram, axis=1, keepdims=True)
    similarity = np.round(gram @ gram.T, 4)
    at = np.ix_(picks, picks)
    raw = rng.integers(0, rng.integers(1, k + 1), k)
    first_seen = list(dict.fromkeys(raw.tolist()))
    lengths = rng.integers(1, 9, k)
    return {
        "texts": texts,
        "cluster_ids": [first_seen.index(c) for c in raw.tolist()],
        "token_logprobs": [np.round(-rng.exponential(0.7, n), 4).tolist() for n in lengths],
        "token_entropies": [np.round(rng.exponential(0.5, n), 4).tolist() for n in lengths],
        "contradiction": nli[:, :, 0][at].tolist(),
        "neutral": nli[:, :, 1][at].tolist(),
        "entailment": nli[:, :, 2][at].tolist(),
        "similarity": similarity[at].tolist(),
        "hidden_states": np.round(rng.normal(0, 1, (k, 6)) * rng.exponential(1.0), 3).tolist(),
        # index of the sample that the greedy answer repeats
        "best": int(rng.integers(0, k)),
    }


def cases() -> list[dict]:
    rng = np.random.default_rng(4)
    return [make_case(rng, 2 + i % 9) for i in range(36)]


if __name__ == "__main__":
    print(json.dumps({"versions": {"numpy": np.__version__}, "cases": cases()}, separators=(",", ":")))
