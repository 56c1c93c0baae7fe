"""Writes training examples (question, short reasoning, integer answer), the same for the same seed.

Questions whose text falls into the held-out bucket (a hash of the text) are never written for training;
make_questions.py takes its questions from that bucket only, so the two can share no question text.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

from reasoning import fill, solve_expression
from templates import (
    BOXES, DOUBLE_SHAPES, EXPRESSION_WORDINGS, HELD_OUT_TEMPLATES, NAMES, OBJECTS, SPOKEN_WORDINGS,
    SYSTEM_MESSAGES, TRAILING_INSTRUCTIONS, TRAINING_TEMPLATES,
)

DEFAULT_SEED = 20240607
HELD_OUT_BUCKETS = 16
SPOKEN_SHARE = 0.35
NEGATIVE_SHARE = 0.2
TIGHT_SPACING_SHARE = 0.1
NON_THINKING_SHARE = 0.08
SYSTEM_SHARE = 0.03
TRAILING_SHARE = 0.04

# Shares of the kinds of question, and of the sizes within each kind. Hard sizes are rare on purpose.
KIND_SHARES = {"add": 0.22, "sub": 0.20, "mul": 0.22, "two": 0.18, "word": 0.18}
SUM_SIZES = {"1": 0.15, "2": 0.36, "3": 0.28, "4": 0.12, "5": 0.05, "6": 0.04}
SIZES: dict[str, dict[str, float]] = {
    "add": SUM_SIZES,
    "sub": SUM_SIZES,
    "mul": {"1x1": 0.20, "2x1": 0.34, "3x1": 0.13, "2x2": 0.20, "4x1": 0.03, "3x2": 0.07, "3x3": 0.03},
    "two": {"1": 0.40, "2": 0.45, "3": 0.15},
    "word": {"1": 0.35, "2": 0.45, "3": 0.20},
}


@dataclass(frozen=True)
class Example:
    """One question with its worked solution. `category` is kind and size, e.g. "mul-2x1"."""

    category: str
    question: str
    reasoning: str
    answer: int


def is_held_out(question: str) -> bool:
    """Whether a question text is kept from training."""
    return hashlib.sha256(question.encode()).digest()[0] % HELD_OUT_BUCKETS == 0


def pick(rng: Random, shares: dict[str, float]) -> str:
    """A key drawn with the given shares."""
    return rng.choices(list(shares), weights=list(shares.values()))[0]


def number(rng: Random, digits: int) -> int:
    """A positive number with exactly this many digits."""
    return rng.randint(1 if digits == 1 else 10 ** (digits - 1), 10**digits - 1)


def sum_operands(rng: Random, size: int, allow_negative: bool) -> tuple[int, int]:
    """Two operands of which the larger has `size` digits; a < b only where a negative result may be."""
    a = number(rng, size)
    b = number(rng, rng.choice((size, size, max(1, size - 1))))
    high, low = max(a, b), min(a, b)
    return (low, high) if allow_negative and rng.random() < NEGATIVE_SHARE else (high, low)


def single_question(rng: Random, kind: str, size: str) -> Example:
    """A bare question with one operation."""
    op = {"add": "+", "sub": "-", "mul": "*"}[kind]
    if kind == "mul":
        left, right = (int(part) for part in size.split("x"))
        a, b = number(rng, left), number(rng, right)
        swap = rng.random() < 0.5
    else:
        a, b = sum_operands(rng, int(size), allow_negative=kind == "sub")
        swap = kind == "add" and rng.random() < 0.5
    if swap:
        a, b = b, a
    answer, lines = solve_expression(f"a{op}b", a, b, 0, rng)
    if rng.random() < SPOKEN_SHARE:
        question = rng.choice(SPOKEN_WORDINGS[op]).format(a=a, b=b)
    else:
        gap = "" if rng.random() < TIGHT_SPACING_SHARE else " "
        question = rng.choice(EXPRESSION_WORDINGS).format(e=f"{a}{gap}{op}{gap}{b}")
    return Example(f"{kind}-{size}", question, "\n".join(lines), answer)


def double_operands(rng: Random, shape: str, size: int) -> tuple[int, int, int]:
    """Operands of a two-operation expression; factors are kept one digit shorter than terms."""
    factors = set(shape[shape.index("*") - 1] + shape[shape.index("*") + 1]) if "*" in shape else set()
    if "(" in shape:
        factors = {"c"}
    sizes = {name: rng.choice((size, max(1, size - 1))) for name in "abc"}
    if len(factors) == 2:
        sizes[max(factors)] = max(1, size - 1)
        sizes[min(factors)] = max(1, min(2, size))
    elif factors:
        sizes["c"] = 1
    return number(rng, sizes["a"]), number(rng, sizes["b"]), number(rng, sizes["c"])


def double_question(rng: Random, size: str) -> Example:
    """A bare question with two operations."""
    shape = rng.choice(DOUBLE_SHAPES)
    a, b, c = double_operands(rng, shape, int(size))
    answer, lines = solve_expression(shape, a, b, c, rng)
    spaced = "".join(f" {ch} " if ch in "+-*" else ch for ch in shape)
    question = rng.choice(EXPRESSION_WORDINGS).format(e=fill(spaced, a, b, c))
    return Example(f"two-{size}", question, "\n".join(lines), answer)


def word_operands(rng: Random, shape: str, size: int) -> tuple[int, int, int]:
    """Operands of a word problem: no quantity in it may become negative, and counts are at least 2."""
    while True:
        if len(shape) > 3:
            a, b, c = double_operands(rng, shape, size)
        elif shape == "a*b":
            a, b, c = number(rng, max(1, size - 1)), number(rng, min(size, 2)), 0
        else:
            (a, b), c = sum_operands(rng, size, allow_negative=False), 0
            if shape == "a+b" and rng.random() < 0.5:
                a, b = b, a
        value, _ = solve_expression(shape, a, b, c, Random(0))
        if min(a, b) >= 2 and (len(shape) == 3 or c >= 2) and value >= 0 and (not shape.startswith("a-b") or a > b):
            return a, b, c


def word_question(rng: Random, size: str, held_out_templates: bool = False) -> Example:
    """A word problem; its reasoning starts with the expression."""
    text, shape = rng.choice(HELD_OUT_TEMPLATES if held_out_templates else TRAINING_TEMPLATES)
    a, b, c = word_operands(rng, shape, int(size))
    name, other_name = rng.sample(NAMES, 2)
    thing, other_thing = rng.sample(OBJECTS, 2)
    question = text.format(n=name, m=other_name, o=thing, p=other_thing, x=rng.choice(BOXES), a=a, b=b, c=c)
    answer, lines = solve_expression(shape, a, b, c, rng)
    return Example(f"word-{size}", question, "\n".join([fill(shape, a, b, c), *lines]), answer)


def make_example(rng: Random, kind: str, size: str) -> Example:
    """One example of a kind and size."""
    if kind == "word":
        return word_question(rng, size)
    if kind == "two":
        return double_question(rng, size)
    return single_question(rng, kind, size)


def training_examples(seed: int, count: int) -> Iterator[Example]:
    """`count` training examples with the shares above, none from the held-out bucket."""
    rng = Random(seed)
    made = 0
    while made < count:
        kind = pick(rng, KIND_SHARES)
        example = make_example(rng, kind, pick(rng, SIZES[kind]))
        if not is_held_out(example.question):
            made += 1
            yield example


def to_record(example: Example, rng: Random) -> dict[str, object]:
    """The example as written to disk, with its conversational form chosen."""
    record: dict[str, object] = asdict(example)
    record["thinking"] = rng.random() >= NON_THINKING_SHARE
    record["system"] = rng.choice(SYSTEM_MESSAGES) if rng.random() < SYSTEM_SHARE else None
    if rng.random() < TRAILING_SHARE:
        joint = rng.choice((" ", "\n"))
        record["question"] = example.question + joint + rng.choice(TRAILING_INSTRUCTIONS)
    return record


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="JSONL file to write")
    parser.add_argument("--count", type=int, default=400_000)
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED)
    args = parser.parse_args()
    form_rng = Random(args.seed + 1)
    with args.out.open("w", encoding="utf-8") as handle:
        for example in training_examples(args.seed, args.count):
            handle.write(json.dumps(to_record(example, form_rng)) + "\n")


if __name__ == "__main__":
    main()
