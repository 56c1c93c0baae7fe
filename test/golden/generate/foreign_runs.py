"""Samples as other tools store them, and what their own formulas make of them. The pickles of OATML and of lm-polygraph
become JSON by the very commands of docs/import.md.

Run: python foreign_runs.py   (writes ../../fixtures/foreign/)
Versions: Python 3.11, torch 2.13, numpy 2.4.
"""
import json
import pathlib
import pickle
import re
import subprocess
import sys
import tempfile

import numpy as np
import torch

HERE = pathlib.Path(__file__).parent
OUT = HERE.parent.parent / "fixtures" / "foreign"
DOCS = (HERE.parent.parent.parent / "docs" / "import.md").read_text()
rng = np.random.default_rng(3)


def logprobs(n: int) -> list[float]:
    return [round(float(x), 3) for x in -rng.exponential(0.5, n)]


def convert(command: str, source: pathlib.Path, target: pathlib.Path) -> None:
    """Runs the command of the documentation that is about `command`."""
    code = next(c for c in re.findall(r'python -c "([^"]+)"', DOCS) if command in c)
    subprocess.run([sys.executable, "-c", code, str(source), str(target)], check=True)


def python_pipeline() -> None:
    """The keys and habits of the Python pipeline: the prompt's tokens count, NaN is written, `</think>` is inclusive."""
    prompt = "Solve.\n\n<question>\nWhat is 6 * 7?\n</question>\n\n<think>\n"
    lines = []
    for run, (thought, answer) in enumerate([("six sevens", "42"), ("hm", "42"), ("cut off", None)]):
        closed = answer is not None
        tail = f"</think> Answer: \\boxed{{{answer}}}" if closed else ""
        entropies = [round(float(x), 3) for x in rng.exponential(0.4, 8)]
        lines.append({
            "dataset": "math", "question_id": 7, "run_id": run, "prompt": prompt,
            "output_text": prompt + thought + tail, "think_text": thought if closed else "",
            "answer_text": answer or "cut off", "tokens": list(range(3 + 8)),
            "think_token_indices": [3, 3 + 4] if closed else [3, 3 + 7],
            "token_entropies": [None] * 3 + entropies,
            "mean_think_entropy": float(np.mean(entropies[:5])) if closed else float("nan"),
            "is_correct": answer == "42",
        })
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    (OUT / "python_runs.jsonl").write_text(text + '{"question_id": 8, "run')


def oatml(folder: pathlib.Path) -> None:
    def response(text: str, accuracy: float) -> tuple:
        return text, logprobs(3), torch.tensor(np.round(rng.normal(size=(1, 4)), 3), dtype=torch.float32), accuracy

    generations = {
        f"tc_{q}": {
            "question": question, "context": None,
            "most_likely_answer": {
                "response": answers[0], "token_log_likelihoods": logprobs(3),
                "embedding": torch.zeros(1, 4), "accuracy": 1.0,
                "emb_last_tok_before_gen": torch.zeros(1, 4), "emb_tok_before_eos": torch.zeros(1, 4),
            },
            "reference": {"answers": {"answer_start": [], "text": [answers[0]]}, "id": f"tc_{q}"},
            "responses": [response(answer, float(answer == answers[0])) for answer in answers],
        }
        for q, (question, answers) in enumerate([
            ("Capital of Peru?", ["Lima", "Lima", "Quito"]), ("Who wrote Emma?", ["Jane Austen", "Austen", "Bronte"]),
        ])
    }
    source = folder / "validation_generations.pkl"
    source.write_bytes(pickle.dumps(generations))
    convert("pickle.load", source, OUT / "oatml.json")


def polygraph(folder: pathlib.Path) -> None:
    likelihoods = [[logprobs(2) for _ in range(3)] for _ in range(2)]
    end = [[round(float(-rng.exponential(0.3)), 3) for _ in range(3)] for _ in range(2)]
    entail = rng.uniform(0, 0.6, (2, 3, 3)).astype(np.float32)
    stats = {
        "input_texts": ["Capital of Peru?", "Who wrote Emma?"], "target_texts": ["Lima", "Jane Austen"],
        "greedy_texts": ["Lima", "Austen"], "greedy_tokens": [[5, 6], [7, 8]],
        "greedy_log_likelihoods": [logprobs(2), logprobs(2)], "entropy": [np.array([0.1, 0.3]), np.array([0.2, 0.4])],
        "sample_texts": [["Lima", "Lima", "Quito"], ["Austen", "Bronte", "Jane Austen"]],
        "sample_tokens": [[[1, 2]] * 3] * 2, "sample_log_likelihoods": likelihoods,
        "sample_log_probs": [[sum(a) + b for a, b in zip(*each)] for each in zip(likelihoods, end)],
        "semantic_matrix_entail": list(entail), "semantic_matrix_contra": list((1 - entail) / 2),
        "sample_embeddings": [[np.round(rng.normal(size=4), 3).astype(np.float16) for _ in range(3)] for _ in range(2)],
    }
    source = folder / "ue_manager.man"
    torch.save({"state": "Initialized", "metrics": {}, "gen_metrics": {}, "estimations": {}, "stats": stats}, source)
    convert("torch.load", source, OUT / "polygraph.json")


OUT.mkdir(exist_ok=True)
python_pipeline()
with tempfile.TemporaryDirectory() as folder:
    oatml(pathlib.Path(folder))
    polygraph(pathlib.Path(folder))
