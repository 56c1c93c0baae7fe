"""Samples answers from the finished model and reports accuracy, disagreement, form and length.

With question files it reports on each of them; with --categories it reports on every kind and size of the
generator (held-out questions), which is how the mix in make_questions.py was chosen.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase, Qwen3ForCausalLM

from generate_data import is_held_out, word_question
from generation import Generation, generate, held_out_examples

SEED = 11
SAMPLES = 10
TEMPERATURE = 0.6
TOP_P = 0.9
POOL_SEED = 4242
THREADS = 2


def summarise(answers: Sequence[str], generations: Sequence[Sequence[Generation]]) -> dict[str, float | int]:
    """Figures over questions; a text that is not well formed counts as wrong and as an answer of its own."""
    right = [[g.answer == answer for g in group] for answer, group in zip(answers, generations)]
    shares = [sum(row) / len(row) for row in right]
    flat = [g for group in generations for g in group]
    count = len(answers)
    figures: dict[str, float | int] = {
        "questions": count,
        "sample_accuracy": sum(shares) / count,
        "disagreeing_share": sum(len({g.answer for g in group}) > 1 for group in generations) / count,
        "always_right_share": sum(share == 1 for share in shares) / count,
        "always_wrong_share": sum(share == 0 for share in shares) / count,
        "agreeing_but_wrong_share": sum(
            share == 0 and len({g.answer for g in group}) == 1 for share, group in zip(shares, generations)
        ) / count,
        "mean_distinct_answers": sum(len({g.answer for g in group}) for group in generations) / count,
        "well_formed_share": sum(g.answer is not None for g in flat) / len(flat),
        "mean_new_tokens": sum(g.tokens for g in flat) / len(flat),
        "max_new_tokens": max(g.tokens for g in flat),
    }
    return {name: round(value, 4) for name, value in figures.items()}


def sample(
    model: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerBase, questions: Sequence[str]
) -> list[list[Generation]]:
    """K samples for each question with the product's sampling settings."""
    return generate(model, tokenizer, questions, samples=SAMPLES, temperature=TEMPERATURE, top_p=TOP_P)


def by_category(
    model: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerBase, per_category: int
) -> dict[str, dict[str, float | int]]:
    """Figures for every kind and size, and for the word problems with held-out templates ("other-...")."""
    pool = [(e.category, e.question, e.answer) for e in held_out_examples(POOL_SEED, per_category)]
    rng = Random(POOL_SEED)
    for size in ("1", "2", "3", "4"):
        found = 0
        while found < per_category:
            example = word_question(rng, size, held_out_templates=True)
            if is_held_out(example.question):
                pool.append((f"other-{example.category}", example.question, example.answer))
                found += 1
    generations = sample(model, tokenizer, [question for _, question, _ in pool])
    report: dict[str, dict[str, float | int]] = {}
    for category in dict.fromkeys(name for name, _, _ in pool):
        chosen = [i for i, (name, _, _) in enumerate(pool) if name == category]
        report[category] = summarise([str(pool[i][2]) for i in chosen], [generations[i] for i in chosen])
    return report


def question_file(
    model: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerBase, path: Path, limit: int | None
) -> dict[str, object]:
    """Figures for a JSONL question file: sampled, greedy, and greedy without thinking."""
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()][:limit]
    questions, answers = [r["question"] for r in records], [r["answer"] for r in records]
    report: dict[str, object] = dict(summarise(answers, sample(model, tokenizer, questions)))
    greedy = generate(model, tokenizer, questions)
    report["greedy_accuracy"] = round(sum(g.answer == a for (g,), a in zip(greedy, answers)) / len(answers), 4)
    direct = generate(model, tokenizer, questions, thinking=False)
    boxed = [f"\\boxed{{{answer}}}{tokenizer.eos_token}" for answer in answers]
    report["greedy_accuracy_without_thinking"] = round(
        sum(g.text == text for (g,), text in zip(direct, boxed)) / len(answers), 4
    )
    return report


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", type=Path, nargs="*", help="question files to report on")
    parser.add_argument("--model", type=Path, default=Path(__file__).resolve().parent.parent)
    parser.add_argument("--limit", type=int, help="only the first questions of each file")
    parser.add_argument("--categories", type=int, metavar="N", help="also report on N questions of each kind and size")
    parser.add_argument("--out", type=Path, help="JSON file to write the figures to")
    args = parser.parse_args()
    torch.set_num_threads(THREADS)
    torch.manual_seed(SEED)
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    # The stored weights are bfloat16; computing in float32 is exact for them and faster on a CPU.
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32).eval()
    started = time.monotonic()
    report: dict[str, object] = {}
    if args.categories:
        report["categories"] = by_category(model, tokenizer, args.categories)
    for path in args.files:
        report[path.stem] = question_file(model, tokenizer, path, args.limit)
    report["seconds"] = round(time.monotonic() - started)
    text = json.dumps(report, indent=2)
    print(text)
    if args.out:
        args.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
