"""Writes the two question files for the pocket model, the same for the same seed.

Every question comes from the generator's held-out bucket, so no training example has its text. The counts
below set the difficulty: they were chosen after training, from the figures of `evaluate.py --categories`,
so that the model is right on some questions, wrong on others and unsure in between.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from generate_data import Example, is_held_out, make_example, word_question

SEED = 20240607
DEFAULT_OUT = Path(__file__).resolve().parents[3] / "questions"

# In distribution: the kinds and sizes seen in training, harder on average.
ARITHMETIC_COUNTS: dict[str, int] = {
    "add-1": 3, "add-2": 8, "add-3": 24, "add-4": 12, "add-5": 18, "add-6": 16,
    "sub-1": 3, "sub-2": 12, "sub-3": 26, "sub-4": 20, "sub-5": 8, "sub-6": 4,
    "mul-1x1": 3, "mul-2x1": 12, "mul-3x1": 18, "mul-2x2": 24, "mul-4x1": 16, "mul-3x2": 18, "mul-3x3": 5,
    "two-1": 4, "two-2": 26, "two-3": 20,
}

# Out of distribution: templates that training never used, and some numbers of 4 digits, which its word problems never had.
WORD_PROBLEM_COUNTS: dict[str, int] = {"1": 50, "2": 55, "3": 40, "4": 5}


def unique_held_out(make: Callable[[], Example], count: int, seen: set[str]) -> Iterator[Example]:
    """`count` held-out questions whose text is not in `seen`; adds them to it."""
    while count:
        example = make()
        if is_held_out(example.question) and example.question not in seen:
            seen.add(example.question)
            count -= 1
            yield example


def arithmetic(rng: Random, seen: set[str]) -> list[Example]:
    """The in-distribution questions, shuffled."""
    examples: list[Example] = []
    for category, count in ARITHMETIC_COUNTS.items():
        kind, size = category.split("-")
        examples += unique_held_out(lambda: make_example(rng, kind, size), count, seen)
    rng.shuffle(examples)
    return examples


def word_problems(rng: Random, seen: set[str]) -> list[Example]:
    """The out-of-distribution questions, shuffled."""
    examples: list[Example] = []
    for size, count in WORD_PROBLEM_COUNTS.items():
        examples += unique_held_out(lambda: word_question(rng, size, held_out_templates=True), count, seen)
    rng.shuffle(examples)
    return examples


def write(path: Path, prefix: str, examples: list[Example]) -> None:
    """One JSON object a line: id, question and answer as text."""
    with path.open("w", encoding="utf-8", newline="\n") as handle:
        for index, example in enumerate(examples, start=1):
            record = {"id": f"{prefix}-{index:04d}", "question": example.question, "answer": str(example.answer)}
            handle.write(json.dumps(record, ensure_ascii=False) + "\n")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT, help="folder for the two files")
    parser.add_argument("--seed", type=int, default=SEED)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    rng, seen = Random(args.seed), set[str]()
    write(args.out / "arithmetic.jsonl", "arith", arithmetic(rng, seen))
    write(args.out / "word-problems.jsonl", "word", word_problems(rng, seen))


if __name__ == "__main__":
    main()
