"""What lm-polygraph says of the cases of estimate_cases.py, estimator by estimator.

Install: pip install --no-deps lm-polygraph==0.7.0 && pip install rouge-score nltk
Run: python estimates_polygraph.py > ../estimates-polygraph.json
Versions: Python 3.11, lm-polygraph 0.7.0, numpy 2.4, scipy 1.17, rouge-score 0.1.2, nltk 3.10.
dtype: float64 throughout.
"""
import importlib
import json
from importlib.metadata import version

import numpy as np

from estimate_cases import cases
from open_package import open_package

open_package("lm_polygraph", ["lm_polygraph.estimators", "lm_polygraph.utils"], ["PIL"])


def estimator(module: str, name: str, **options):
    return getattr(importlib.import_module(f"lm_polygraph.estimators.{module}"), name)(**options)


def expected(case: dict) -> dict:
    k = len(case["texts"])
    classes: list[list[int]] = [[] for _ in range(max(case["cluster_ids"]) + 1)]
    for sample, cluster in enumerate(case["cluster_ids"]):
        classes[cluster].append(sample)
    greedy = case["token_logprobs"][case["best"]]
    entail = np.array([case["entailment"]])
    contra = np.array([case["contradiction"]])
    neutral = np.array([case["neutral"]])
    similarity = np.maximum(np.array([case["similarity"]]), 0)
    stats = {
        "sample_texts": [case["texts"]],
        "sample_log_probs": [[float(np.sum(row)) for row in case["token_logprobs"]]],
        "sample_tokens": [[[0] * len(row) for row in case["token_logprobs"]]],
        "sample_embeddings": [case["hidden_states"]],
        "sample_sentence_similarity": similarity,
        "semantic_classes_entail": {
            "class_to_sample": {0: classes},
            "sample_to_class": {0: dict(enumerate(case["cluster_ids"]))},
        },
        "semantic_matrix_entail": entail,
        "semantic_matrix_contra": contra,
        "semantic_matrix_entail_logits": np.log(entail),
        "semantic_matrix_contra_logits": np.log(contra),
        "greedy_log_probs": [greedy],
        "greedy_log_likelihoods": [greedy],
        "greedy_texts": [f"{case['texts'][case['best']]} Confidence: 0.{case['best'] + 1}"],
        "entropy": [case["token_entropies"][case["best"]]],
        "greedy_semantic_matrix_contra_forward": contra[:, case["best"], :],
        "greedy_semantic_matrix_neutral_forward": neutral[:, case["best"], :],
    }

    def run(*which, **options) -> float:
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(estimator(*which, **options)(stats)[0])

    graph = {
        f"{key}_{suffix}": run(module, name, **options)
        for key, module, name in [
            ("degree_matrix", "deg_mat", "DegMat"),
            ("eigv", "eig_val_laplacian", "EigValLaplacian"),
            ("eccentricity", "eccentricity", "Eccentricity"),
        ]
        for suffix, options in [
            ("entail", {"affinity": "entail"}),
            ("contra", {"affinity": "contra"}),
            ("jaccard", {"similarity_score": "Jaccard_score"}),
        ]
    }
    frequency = {"class_probability_estimation": "frequency"}
    return {
        "discrete_semantic_entropy": run("semantic_entropy", "SemanticEntropy", **frequency),
        "monte_carlo_semantic_entropy": run("semantic_entropy", "SemanticEntropy"),
        # known fault: adds up over samples instead of clusters
        "direct_discrete_semantic_entropy": run(
            "semantic_entropy", "SemanticEntropy", entropy_estimation="direct", **frequency
        ),
        "minority_share": run("label_prob", "LabelProb"),
        "regular_entropy_sum": run("monte_carlo_sequence_entropy", "MonteCarloSequenceEntropy"),
        "regular_entropy": run("monte_carlo_normalized_sequence_entropy", "MonteCarloNormalizedSequenceEntropy"),
        "best_sequence_nll": run("max_probability", "MaximumSequenceProbability"),
        "best_log_perplexity": run("perplexity", "Perplexity"),
        "best_mean_token_entropy": run("token_entropy", "MeanTokenEntropy"),
        "lexical_similarity": run("lexical_similarity", "LexicalSimilarity"),
        **graph,
        "semantic_sets": run("num_sem_sets", "NumSemSets"),
        "kernel_language_entropy_soft": run("kernel_language_entropy", "KernelLanguageEntropy"),
        "luq": run("luq", "LUQ") if k > 1 else None,
        "semantic_density": run("semantic_density", "SemanticDensity", concat_input=False),
        "eigen_score": run("eigenscore", "EigenScore"),
        "sentence_sar": run("sentence_sar", "SentenceSAR"),
        "verbalised_doubt": run("verbalized_1s", "Verbalized1S", confidence_regex=r"Confidence: ([\d.]+)"),
    }


names = ["lm-polygraph", "numpy", "scipy", "rouge-score", "nltk"]
print(json.dumps({
    "versions": {name: version(name) for name in names},
    "cases": [{key: round(value, 12) for key, value in expected(case).items()} for case in cases()],
}, separators=(",", ":")))
