"""Verdicts of math-verify (0.9.0, latex2sympy2_extended 1.11.0, sympy 1.14.0, Python 3.11) on pairs of answers.

Run: python math_verify.py > ../math-equivalence.jsonl
With --time it goes through the pairs of that file once and prints how long that took, for bench/math.js.

The pairs are those of math_equivalence_pairs.txt, then random ones with sympy's own word on whether they are equal.
Each answer goes through `parse` with its default configurations, as a formula in dollars where it is one, else as it
stands. `verify` is asked in both orders, as its first argument is the reference and it is not symmetric. A verdict is
null where it found nothing to read in one of the two answers, such as words outside of LaTeX.
"""

import json
import random
import re
import sys
import time
from pathlib import Path

# This file has the package's name, so its own folder must not be searched for it.
sys.path = [entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).resolve().parent]

import sympy  # noqa: E402
from math_verify import parse, verify  # noqa: E402

PLAIN_NUMBER = re.compile(r"[-+]?\d[\d.]*%|\d+ \d+(/\d+)?")
WORDS = re.compile(r"(?<![\\a-zA-Z])[a-zA-Z]{3,}|\d ?(?:cm|km|m)$")


def read(answer: str) -> list:
    """Words beside LaTeX's own, `50%` and digits with gaps are plain text; all else is a formula."""
    is_plain = PLAIN_NUMBER.fullmatch(answer) or ("\\" not in answer and WORDS.search(answer))
    return parse(answer if is_plain else f"${answer}$")


def written(lines: list[str]):
    category = ""
    for line in lines:
        if line.startswith("["):
            category = line[1:-1]
        elif line[:2] in ("= ", "! "):
            yield category, *line[2:].split(" ~ "), line[0] == "="


X, Y = sympy.symbols("x y")


def drawn(rng: random.Random, count: int):
    """Random expressions; half of the pairs are two forms of one, half have a number in it changed by one or two."""

    def number() -> int:
        return rng.choice([-1, 1]) * rng.randint(1, 12)

    def rational() -> sympy.Expr:
        return sympy.Rational(number(), rng.randint(2, 15))

    def surd() -> sympy.Expr:
        return rational() * sympy.sqrt(rng.randint(2, 40)) + rng.choice([number(), rational(), 0])

    def polynomial() -> sympy.Expr:
        return sympy.Mul(*[number() * X + number() for _ in range(rng.randint(2, 3))], evaluate=False)

    def two_unknowns() -> sympy.Expr:
        return (number() * X + number() * Y) ** 2 + number() * X * Y

    def fraction() -> sympy.Expr:
        return number() / (X + number()) + rational() * X

    def constant() -> sympy.Expr:
        return rational() * rng.choice([sympy.pi, sympy.E, sympy.log(rng.randint(2, 9)), sympy.pi**2]) + number()

    numbers = [("rational", rational), ("surd", surd), ("constant", constant)]
    formulas = [("polynomial", polynomial), ("two unknowns", two_unknowns), ("fraction of polynomials", fraction)]
    forms = [sympy.expand, sympy.factor, sympy.together, sympy.radsimp, lambda e: e]
    for _ in range(count):
        name, make = rng.choice(numbers + formulas)
        size = rng.choice([1, 1, 1, 2, 3]) if make in (rational, surd, constant) else 1
        parts = [make() for _ in range(size)]
        same = rng.random() < 0.5
        others = [rng.choice(forms)(part) for part in parts]
        if not same:
            at = rng.randrange(len(others))
            others[at] = others[at] + rng.choice([-2, -1, 1, 2, sympy.Rational(1, 2)])
        wrap = rng.choice([r"({})", r"\{{{}\}}"]) if len(parts) > 1 else "{}"
        if wrap.startswith("\\"):
            same = all(any(sympy.simplify(a - b) == 0 for b in others) for a in parts) and all(
                any(sympy.simplify(a - b) == 0 for a in parts) for b in others
            )
            rng.shuffle(others)
        sides = [wrap.format(",".join(sympy.latex(part) for part in each)) for each in (parts, others)]
        yield f"random: {name}", *sides, same


if sys.argv[1:] == ["--time"]:
    table = Path(__file__).parent.with_name("math-equivalence.jsonl").read_text().splitlines()
    pairs = [(row["a"], row["b"]) for row in map(json.loads, table)]
    start = time.perf_counter()
    for a, b in pairs:
        verify(read(a), read(b))
    print(time.perf_counter() - start)
    sys.exit()

lines = Path(__file__).with_name("math_equivalence_pairs.txt").read_text().splitlines()
for category, a, b, equal in [*written(lines), *drawn(random.Random(0), 500)]:
    read_a, read_b = read(a), read(b)
    verdicts = [verify(read_a, read_b), verify(read_b, read_a)] if read_a and read_b else None
    row = {"category": category, "a": a, "b": b, "equal": equal, "math_verify": verdicts}
    print(json.dumps(row, ensure_ascii=False))
