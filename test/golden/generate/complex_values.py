"""Values of formulas in complex numbers, to 40 digits (mpmath 1.3.0, Python 3.11).
Run: python complex_values.py > ../complex-values.json

Roots and logarithms have their principal values, but for odd roots of negative numbers, which are real.
"""

import json

from mpmath import mp, mpc, mpf

mp.dps = 60
i = mpc(0, 1)
half = mpf(1) / 2
third = mpf(1) / 3

VALUES = {
    r"\pi": mp.pi,
    "e": mp.e,
    r"\sqrt{2}": mp.sqrt(2),
    r"\sqrt[3]{5}": mp.cbrt(5),
    r"\sqrt[3]{-5}": -mp.cbrt(5),
    r"(-7)^{2/5}": mpf(7) ** (mpf(2) / 5),
    r"(-7)^{3/5}": -(mpf(7) ** (mpf(3) / 5)),
    r"\sqrt[4]{-16}": mp.sqrt(2) + mp.sqrt(2) * i,
    r"\sqrt{-3+4i}": mp.sqrt(-3 + 4 * i),
    r"\sqrt{-3-4i}": mp.sqrt(-3 - 4 * i),
    r"(1+2i)^{7}": (1 + 2 * i) ** 7,
    r"(1+2i)^{-3/2}": (1 + 2 * i) ** (-1 - half),
    r"(1+2i)^{1/3}": (1 + 2 * i) ** third,
    r"(2-i)^{3+i}": (2 - i) ** (3 + i),
    r"2^{\pi}": mpf(2) ** mp.pi,
    r"2^{-100}": mpf(2) ** -100,
    r"1.0001^{100000}": mpf("1.0001") ** 100000,
    r"e^{-20.5}": mp.exp(mpf("-20.5")),
    r"e^{1+3i}": mp.exp(1 + 3 * i),
    r"i^i": i**i,
    r"\ln 10": mp.log(10),
    r"\ln(-2)": mp.log(2) + mp.pi * i,
    r"\ln(1-i)": mp.log(1 - i),
    r"\log_3 7": mp.log(7) / mp.log(3),
    r"\sin 1": mp.sin(1),
    r"\sin 123456.789": mp.sin(mpf("123456.789")),
    r"\cos(2+i)": mp.cos(2 + i),
    r"\sin(2-3i)": mp.sin(2 - 3 * i),
    r"\tan 40^\circ": mp.tan(40 * mp.pi / 180),
    r"\tan i": mp.tan(i),
    r"\arcsin 0.3": mp.asin(mpf("0.3")),
    r"\arccos(-0.3)": mp.acos(mpf("-0.3")),
    r"\arctan 100": mp.atan(100),
    r"\sinh 2": mp.sinh(2),
    r"\tanh 0.1": mp.tanh(mpf("0.1")),
    r"\frac{1+i}{3-4i}": (1 + i) / (3 - 4 * i),
    r"|3-4i|": mpf(5),
    r"\lfloor -\pi\rfloor": mpf(-4),
    r"\lceil -\pi\rceil": mpf(-3),
    r"\max(\sqrt{2},\sqrt{3})": mp.sqrt(3),
    r"\min(\sqrt{2},\sqrt{3})": mp.sqrt(2),
}

rows = {}
for formula, value in VALUES.items():
    value = mpc(value)
    rows[formula] = [mp.nstr(part, 40, strip_zeros=False) for part in (value.real, value.imag)]
print(json.dumps(rows, indent=1, ensure_ascii=False))
