"""Short worked solutions: the text the model learns to write between <think> and </think>."""

from __future__ import annotations

from random import Random

# Small sums are sometimes written in one line, so that the model has more than one way to solve them.
DIRECT_LINE_SHARE = 0.3
DIRECT_LINE_MAX_DIGITS = 3


def add_columns(a: int, b: int) -> list[str]:
    """Column addition from the right; `c1` marks a carry."""
    width = max(len(str(a)), len(str(b)))
    lines: list[str] = []
    carry = 0
    for place in range(width):
        x, y = a // 10**place % 10, b // 10**place % 10
        total = x + y + carry
        line = f"{x}+{y}{'+1' if carry else ''}={total}"
        carry = total // 10
        lines.append(line + (" c1" if carry and place < width - 1 else ""))
    return lines


def subtract_columns(a: int, b: int) -> list[str]:
    """Column subtraction from the right for a >= b; `b1` marks a borrow."""
    lines: list[str] = []
    borrow = 0
    for place in range(len(str(a))):
        x, y = a // 10**place % 10, b // 10**place % 10
        next_borrow = int(x - y - borrow < 0)
        if next_borrow:
            x += 10
        line = f"{x}-{y}{'-1' if borrow else ''}={x - y - borrow}"
        borrow = next_borrow
        lines.append(line + (" b1" if borrow else ""))
    return lines


def partial_products(a: int, b: int) -> list[str]:
    """Multiplication by the place values of one factor, then running sums."""
    if len(str(a)) == 1 and len(str(b)) == 1:
        return [f"{a}*{b}={a * b}"]
    split_left = len(str(b)) == 1
    split = a if split_left else b
    digits = str(split)
    parts = [int(d) * 10 ** (len(digits) - 1 - i) for i, d in enumerate(digits) if d != "0"]
    lines: list[str] = []
    products: list[int] = []
    for part in parts:
        left, right = (part, b) if split_left else (a, part)
        products.append(left * right)
        lines.append(f"{left}*{right}={left * right}")
    total = products[0]
    for product in products[1:]:
        lines.append(f"{total}+{product}={total + product}")
        total += product
    return lines


def solve_single(op: str, a: int, b: int, rng: Random) -> list[str]:
    """Lines of work for one operation on two non-negative integers."""
    if op == "*":
        return partial_products(a, b)
    small = max(len(str(a)), len(str(b))) <= DIRECT_LINE_MAX_DIGITS
    if small and rng.random() < DIRECT_LINE_SHARE:
        return [f"{a}{op}{b}={a + b if op == '+' else a - b}"]
    if op == "+":
        return add_columns(a, b)
    if a < b:
        return [f"-({b}-{a})", *subtract_columns(b, a)]
    return subtract_columns(a, b)


def apply(op: str, a: int, b: int) -> int:
    """The value of `a op b`."""
    return a + b if op == "+" else a - b if op == "-" else a * b


def evaluate_double(shape: str, a: int, b: int, c: int) -> tuple[int, list[str]]:
    """Value and lines of a two-operation expression; shape is e.g. "a*b+c", "a-b*c" or "(a+b)*c"."""
    if shape.startswith("("):
        first, second = shape[2], shape[5]
        left_first = True
    else:
        first, second = shape[1], shape[3]
        left_first = first == "*" or second != "*"
    if left_first:
        middle = apply(first, a, b)
        value = apply(second, middle, c)
        return value, [f"{a}{first}{b}={middle}", f"{middle}{second}{c}={value}"]
    middle = apply(second, b, c)
    value = apply(first, a, middle)
    return value, [f"{b}{second}{c}={middle}", f"{a}{first}{middle}={value}"]


def fill(shape: str, a: int, b: int, c: int) -> str:
    """The expression with its numbers, without spaces."""
    return shape.replace("a", str(a)).replace("b", str(b)).replace("c", str(c))


def solve_expression(shape: str, a: int, b: int, c: int, rng: Random) -> tuple[int, list[str]]:
    """Value and lines for a one-operation ("a+b") or two-operation shape."""
    if len(shape) == 3:
        op = shape[1]
        return apply(op, a, b), solve_single(op, a, b, rng)
    return evaluate_double(shape, a, b, c)
