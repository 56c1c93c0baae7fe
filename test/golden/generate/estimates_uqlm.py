"""What uqlm says of the cases of estimate_cases.py, scorer by scorer, and a case that its clusterer cannot handle.

Install: pip install --no-deps uqlm==0.6.7
Run: python estimates_uqlm.py > ../estimates-uqlm.json
Versions: Python 3.11, uqlm 0.6.7, numpy 2.4, scipy 1.17. dtype: float64 throughout.
"""
import json
from importlib.metadata import version

import numpy as np

from estimate_cases import cases
from open_package import open_package

open_package(
    "uqlm",
    ["uqlm." + name for name in (
        "nli", "white_box", "white_box.baseclass", "black_box", "black_box.baseclass", "utils", "scorers",
        "scorers.shortform", "scorers.shortform.baseclass", "scorers.baseclass",
    )],
    ["langchain_core", "langchain_core.language_models", "langchain_core.language_models.chat_models",
     "langchain_core.messages", "langchain_core.messages.human", "langchain_core.messages.system",
     "uqlm.utils.response_generator", "uqlm.scorers.baseclass.uncertainty",
     "uqlm.scorers.shortform.baseclass.uncertainty", "uqlm.scorers.shortform.entropy",
     "pandas", "sentence_transformers"],
)
import sys

# the base class of the density scorer is not needed, but must be a class
sys.modules["uqlm.scorers.shortform.baseclass.uncertainty"].ShortFormUQ = object
from uqlm.black_box.consistency import ConsistencyScorer
from uqlm.black_box.cosine import CosineScorer
from uqlm.black_box.match import MatchScorer
from uqlm.nli.cluster import SemanticClusterer
from uqlm.nli.entropy_utils import (
    compute_cluster_probabilities,
    compute_response_probabilities,
    compute_semantic_entropy,
)
from uqlm.nli.nli import NLI
from uqlm.scorers.shortform.density import SemanticDensity
from uqlm.white_box.sampled_logprobs import SampledLogprobsScorer
from uqlm.white_box.single_logprobs import SingleLogprobsScorer


def make(kind, **fields):
    scorer = kind.__new__(kind)
    for name, value in fields.items():
        setattr(scorer, name, value)
    return scorer


def known_nli(texts: list[str], probs: np.ndarray, prefix: str = "") -> NLI:
    """An NLI model that has read all pairs already. probs: [n, n, 3] contradiction, neutral, entailment"""
    read = {
        (prefix + a, prefix + b): probs[i, j][None, :]
        for i, a in enumerate(texts)
        for j, b in enumerate(texts)
    }
    return make(NLI, probabilities=read, label_mapping=["contradiction", "neutral", "entailment"])


def expected(case: dict) -> dict:
    texts, best, ids = case["texts"], case["best"], case["cluster_ids"]
    k = len(texts)
    others = [i for i in range(k) if i != best]
    probs = np.stack([case["contradiction"], case["neutral"], case["entailment"]], -1)
    results = [[{"logprob": x} for x in row] for row in case["token_logprobs"]]
    members = [[i for i in range(k) if ids[i] == c] for c in range(max(ids) + 1)]
    tokens, uniform = compute_response_probabilities(results, k)
    sums, _ = compute_response_probabilities(results, k, length_normalize=False)
    entropy = lambda weights: float(compute_semantic_entropy(compute_cluster_probabilities(weights, members)))
    single = SingleLogprobsScorer().evaluate([results[best]])
    sampled = SampledLogprobsScorer(["monte_carlo_probability"]).monte_carlo_probability(
        ["x"], [results[0]], [results[1:]]
    )
    candidates = [texts[i] for i in others]
    nli = known_nli(texts, probs)
    consistency = make(ConsistencyScorer, nli=nli, use_best=False, available_nli_scores={},
                       scorers=["noncontradiction", "entailment"])
    scores = consistency._observed_consistency_i(texts[best], candidates)
    factor = np.linalg.cholesky(np.array(case["similarity"]) + 2 * np.eye(k))  # any vectors
    cosine = make(CosineScorer, max_length=2000)
    cosine._get_embeddings = lambda a, b: ([factor[best]] * len(a), [factor[i] for i in others])
    embedded = factor / np.linalg.norm(factor, axis=1, keepdims=True)
    density, _ = make(
        SemanticDensity, nli=known_nli(texts, probs, "q\n"), length_normalize=True, verbose=False
    )._semantic_density_process("q", texts[best], texts, logprobs_results=results)
    return {
        "discrete_semantic_entropy": entropy(uniform),
        "nature_semantic_entropy": entropy(tokens),
        "sum_logprob_semantic_entropy": entropy(sums),
        "best_min_probability": float(single["min_probability"][0]),
        "best_sequence_probability": float(single["sequence_probability"][0]),
        "monte_carlo_probability": float(sampled[0]),
        "exact_match": float(MatchScorer._compute_score(texts[best], candidates)),
        "noncontradiction": float(scores["noncontradiction"]),
        "entailment": float(scores["entailment"]),
        "cosine_similarity": [round(float(x), 12) for x in embedded @ embedded[best]],
        "cosine_sim": float(np.mean(cosine._compute_score(texts[best], candidates))),
        "semantic_density": float(density),
    }


def overlapping() -> dict:
    """a and c are each the same as b, one way, and not each other: b is put into both clusters."""
    texts = ["a", "c", "b"]
    probs = np.full((3, 3, 3), [0.1, 0.8, 0.1])
    probs[0, 2] = probs[2, 1] = [0.1, 0.1, 0.8]
    _, members, *_ = SemanticClusterer(known_nli(texts, probs)).cluster_responses(texts)
    return {"texts": texts, "probs": probs.tolist(), "members": members}


def rounded(values: dict) -> dict:
    return {key: round(value, 12) if isinstance(value, float) else value for key, value in values.items()}


print(json.dumps({
    "versions": {name: version(name) for name in ["uqlm", "numpy", "scipy"]},
    "cases": [rounded(expected(case)) for case in cases()],
    "overlapping": overlapping(),
}, separators=(",", ":"), default=list))
