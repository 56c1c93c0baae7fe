"""Wordings of the questions. The held-out word-problem templates are never used in training."""

from __future__ import annotations

NAMES = (
    "Anna", "Ben", "Clara", "David", "Emma", "Felix", "Grace", "Henry", "Ida", "Jack",
    "Kate", "Leo", "Maria", "Noah", "Olga", "Peter", "Rosa", "Sam", "Tina", "Victor",
)

OBJECTS = (
    "apples", "books", "cards", "coins", "cups", "eggs", "flowers", "lemons", "marbles", "oranges",
    "pencils", "plates", "shells", "stamps", "stickers", "stones", "tickets", "toys", "trees", "cookies",
)

BOXES = ("boxes", "bags", "baskets", "crates", "shelves", "rows", "packs", "jars")

# Wordings for a bare expression {e}, for example "47 + 85".
EXPRESSION_WORDINGS = (
    "What is {e}?", "Compute {e}.", "Calculate {e}.", "Work out {e}.", "Find the value of {e}.",
    "{e} = ?", "How much is {e}?", "Evaluate {e}.", "What does {e} equal?", "Solve {e}.",
)

# Wordings in words for one operation.
SPOKEN_WORDINGS: dict[str, tuple[str, ...]] = {
    "+": (
        "Find the sum of {a} and {b}.", "What is the sum of {a} and {b}?", "Add {a} and {b}.",
        "What is {a} plus {b}?", "What number is {b} more than {a}?", "What do you get if you add {b} to {a}?",
    ),
    "-": (
        "Find the difference {a} minus {b}.", "What is {a} minus {b}?", "Subtract {b} from {a}.",
        "What number is {b} less than {a}?", "Take {b} away from {a}.", "What is left of {a} after taking away {b}?",
    ),
    "*": (
        "Find the product of {a} and {b}.", "What is {a} times {b}?", "Multiply {a} by {b}.",
        "What is the product of {a} and {b}?", "What do you get if you multiply {a} by {b}?",
    ),
}

SINGLE_SHAPES = ("a+b", "a-b", "a*b")
DOUBLE_SHAPES = (
    "a+b+c", "a+b-c", "a-b+c", "a-b-c", "a*b+c", "a*b-c", "a+b*c", "a-b*c", "(a+b)*c", "(a-b)*c",
)

# Word problems: (text, shape). {n}, {m}: names; {o}, {p}: objects; {x}: containers; {a}, {b}, {c}: numbers.
TRAINING_TEMPLATES: tuple[tuple[str, str], ...] = (
    ("{n} has {a} {o} and gets {b} more. How many {o} does {n} have now?", "a+b"),
    ("{n} has {a} {o}. {m} has {b} {o}. How many {o} do they have together?", "a+b"),
    ("There are {a} {o} and {b} {p} on the table. How many things are there in total?", "a+b"),
    ("A shop sold {a} {o} on Monday and {b} {o} on Tuesday. How many {o} did it sell in total?", "a+b"),
    ("{n} read {a} pages yesterday and {b} pages today. How many pages is that?", "a+b"),
    ("{n} walked {a} meters and then {b} meters. How far did {n} walk?", "a+b"),
    ("A town had {a} people, and {b} people moved in. How many people live there now?", "a+b"),
    ("{n} paid {a} dollars for a chair and {b} dollars for a lamp. How much did {n} pay?", "a+b"),
    ("{m} found {b} {o} after {n} found {a}. How many {o} were found in all?", "a+b"),
    ("{n} has {a} {o}. {m} has {b} more than {n}. How many {o} does {m} have?", "a+b"),
    ("{n} had {a} {o} and gave {b} to {m}. How many {o} does {n} have left?", "a-b"),
    ("There were {a} {o} in a box. {n} took {b} of them. How many are left in the box?", "a-b"),
    ("{n} had {a} dollars and spent {b} dollars. How much money is left?", "a-b"),
    ("A book has {a} pages. {n} has read {b} pages. How many pages are left to read?", "a-b"),
    ("{n} has {a} {o} and {m} has {b} {o}. How many more does {n} have than {m}?", "a-b"),
    ("A farmer picked {a} {o} and sold {b}. How many {o} remain?", "a-b"),
    ("A train carried {a} people, and {b} got off. How many people stayed on the train?", "a-b"),
    ("Of {a} {o}, {b} were broken. How many were not broken?", "a-b"),
    ("{n} needs {a} {o} and already has {b}. How many more does {n} need?", "a-b"),
    ("{n} has {a} {o}. {m} has {b} fewer than {n}. How many {o} does {m} have?", "a-b"),
    ("There are {a} {x} with {b} {o} each. How many {o} are there?", "a*b"),
    ("Each box holds {b} {o}. How many {o} are in {a} boxes?", "a*b"),
    ("{n} buys {a} {o} for {b} dollars each. How much does {n} pay?", "a*b"),
    ("A bus makes {a} trips with {b} people each. How many people does it carry?", "a*b"),
    ("{n} reads {b} pages every day. How many pages does {n} read in {a} days?", "a*b"),
    ("{n} planted {a} rows of {b} trees. How many trees did {n} plant?", "a*b"),
    ("One ticket costs {b} dollars. What do {a} tickets cost?", "a*b"),
    ("{n} earns {b} dollars a day. How much does {n} earn in {a} days?", "a*b"),
    ("{n} has {a} {x} with {b} {o} each and {c} more {o}. How many {o} does {n} have?", "a*b+c"),
    ("{n} buys {a} {o} for {b} dollars each and a cake for {c} dollars. How much does {n} pay?", "a*b+c"),
    ("A hall has {a} rows of {b} chairs and {c} more chairs at the back. How many chairs are there?", "a*b+c"),
    ("There are {a} {x} with {b} {o} each. {n} takes away {c} {o}. How many are left?", "a*b-c"),
    ("{n} bakes {a} trays of {b} cookies and sells {c} cookies. How many cookies are left?", "a*b-c"),
    ("{n} works {a} days for {b} dollars a day and spends {c} dollars. How much money is left?", "a*b-c"),
    ("{n} had {a} {o}, bought {b} and gave away {c}. How many {o} does {n} have now?", "a+b-c"),
    ("A bus had {a} people. {b} got on and {c} got off. How many people are on the bus?", "a+b-c"),
    ("{n} had {a} {o}, lost {b} and then found {c}. How many {o} does {n} have now?", "a-b+c"),
    ("{n} had {a} dollars, spent {b} on food and {c} on books. How much is left?", "a-b-c"),
    ("{n} has {a} {o}, {m} has {b} and their teacher has {c}. How many {o} is that in total?", "a+b+c"),
    ("A team has {a} girls and {b} boys. Each gets {c} {o}. How many {o} are needed?", "(a+b)*c"),
)

HELD_OUT_TEMPLATES: tuple[tuple[str, str], ...] = (
    ("In the morning {n} picked {a} {o}. After that {m} picked {b} more. How many {o} did they pick together?", "a+b"),
    ("A box holds {a} {o} and a bag holds {b}. How many {o} are there in total?", "a+b"),
    ("{n} sold {a} {o}, and {m} sold {b} {o}. How many {o} were sold in all?", "a+b"),
    ("A farmer had {a} {o}. Then {n} took {b} of the {o}. How many does the farmer have left?", "a-b"),
    ("A team needs {a} {o}. The teacher already bought {b} {o}. How many more are needed?", "a-b"),
    ("{n} found {a} {o} but lost {b} of them on the bus. How many {o} remain?", "a-b"),
    ("A shop has {a} {x}, each with {b} {o}. How many {o} does the shop have in total?", "a*b"),
    ("Every day {n} sells {b} {o}. How many {o} does {n} sell in {a} days?", "a*b"),
    ("{a} people each buy {b} {o}. How many {o} is that?", "a*b"),
    ("A farmer fills {a} {x} with {b} {o} each, and {c} {o} are left on the table. How many {o} are there in all?", "a*b+c"),
    ("{n} bought {a} {x} of {b} {o} and gave {c} {o} to {m}. How many {o} does {n} have now?", "a*b-c"),
    ("On Monday a shop had {a} {o}. It bought {b} and then sold {c}. How many {o} does it have now?", "a+b-c"),
    ("{n} has {a} {o}. {m} took {b} and the teacher took {c}. How many does {n} have left?", "a-b-c"),
    ("{n}, {m} and a farmer have {a}, {b} and {c} {o}. How many {o} do they have together?", "a+b+c"),
)

SYSTEM_MESSAGES = (
    "You are a helpful assistant.",
    "Answer the question.",
    "You are good at arithmetic. Put the final answer in \\boxed{}.",
)

TRAILING_INSTRUCTIONS = (
    "Put the final answer in \\boxed{}.",
    "Please reason step by step, and put your final answer within \\boxed{}.",
    "Give the answer as a whole number in \\boxed{}.",
    "Answer with a number.",
)
