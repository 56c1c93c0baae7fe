"""Reproducible numbers for golden data; the TypeScript tests make the same ones."""


def hashed(i, j):
    """A reproducible number in [0, 1) from two integers: 32-bit multiply-xorshift."""
    h = (i * 0x9E3779B1 + j * 0x85EBCA77 + 0x165667B1) & 0xFFFFFFFF
    h ^= h >> 15
    h = (h * 0x2C1B3C6D) & 0xFFFFFFFF
    h ^= h >> 12
    h = (h * 0x297A2D39) & 0xFFFFFFFF
    h ^= h >> 15
    return h / 2**32
