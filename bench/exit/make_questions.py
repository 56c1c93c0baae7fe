"""Writes more questions of the kinds in questions/arithmetic.jsonl, in the same proportions, with the pocket model's generator.

python bench/exit/make_questions.py OUT.jsonl [--times 6] [--seed 7]
"""

import argparse
import sys
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "models" / "pocket" / "training"))
import make_questions as own

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("out", type=Path)
parser.add_argument("--times", type=int, default=6)
parser.add_argument("--seed", type=int, default=7)
args = parser.parse_args()
# of one digit there are few questions, and all of them are in the built-in set or in the training data
own.ARITHMETIC_COUNTS = {
    category: count * args.times for category, count in own.ARITHMETIC_COUNTS.items() if "-1" not in category and category != "mul-1x1"
}
own.write(args.out, "more", own.arithmetic(Random(args.seed), set()))
