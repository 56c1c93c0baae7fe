"""Synthetic hidden states for bench/probes.js: layers whose spectra fall off as a power law, a difficulty of each
question planted in them, and labels that it decides.

Run: python bench/probes/make_data.py OUT.safetensors ROWS WIDTH LAYERS
Needs numpy, scikit-learn and safetensors. The same arguments give the same file.
"""
import json
import struct
import sys

import numpy as np
from sklearn.model_selection import GroupKFold

PATH = sys.argv[1]
ROWS, WIDTH, LAYERS = map(int, sys.argv[2:5])
ROWS_A_QUESTION = 5
FOLDS = 5
# Directions with any signal: not the very largest alone, as in real models.
SIGNAL_DIRECTIONS = 300

rng = np.random.default_rng(7)
questions = ROWS // ROWS_A_QUESTION
group = np.repeat(np.arange(questions), ROWS_A_QUESTION)
difficulty_of_question = rng.standard_normal(questions).astype(np.float32)
difficulty = (0.8 * difficulty_of_question[group] + 0.6 * rng.standard_normal(ROWS)).astype(np.float32)
incorrect = (rng.random(ROWS) < 1 / (1 + np.exp(-1.5 * difficulty))).astype(np.int32)
high = ((difficulty_of_question + 0.7 * rng.standard_normal(questions)) > 0.3).astype(np.int32)[group]
fold = np.zeros(ROWS, dtype=np.int32)
for index, (_, held) in enumerate(GroupKFold(FOLDS).split(np.zeros(ROWS), incorrect, group)):
    fold[held] = index

rotation = np.linalg.qr(rng.standard_normal((WIDTH, WIDTH)).astype(np.float32))[0]
# Variances fall as 1 / i, scaled to a mean of 1; features get scales and offsets of their own.
deviations = np.sqrt(np.arange(1, WIDTH + 1, dtype=np.float32) ** -1.0)
deviations *= np.sqrt(WIDTH / np.sum(deviations**2))
scale = np.exp(rng.standard_normal(WIDTH)).astype(np.float32)
offset = rng.standard_normal(WIDTH).astype(np.float32) * scale


def make_layer(layer):
    """[ROWS, WIDTH], the signal strongest at 60% of the depth."""
    states = 0.7 * rng.standard_normal((ROWS, WIDTH), dtype=np.float32)
    states += 0.7 * rng.standard_normal((questions, WIDTH), dtype=np.float32)[group]
    direction = rng.standard_normal(WIDTH).astype(np.float32)
    direction[SIGNAL_DIRECTIONS:] = 0
    direction /= np.linalg.norm(direction)
    strength = 3.0 * np.exp(-(((layer - 0.6 * LAYERS) / (0.35 * LAYERS)) ** 2))
    states += strength * difficulty[:, None] * direction[None, :]
    states *= deviations
    return (states @ rotation[rng.permutation(WIDTH)]) * scale + offset


# Written one layer at a time: the largest workload is larger than the memory of small machines.
labels = {"group": group.astype(np.int32), "fold": fold, "incorrect": incorrect, "high": high}
header, end = {}, 0
for name, dtype, shape in [
    *((f"think-end.layer.{layer}", "F32", [ROWS, WIDTH]) for layer in range(LAYERS)),
    *((name, "I32", [ROWS]) for name in labels),
]:
    size = 4 * int(np.prod(shape))
    header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + size]}
    end += size
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
with open(PATH, "wb") as file:
    file.write(struct.pack("<Q", len(text)) + text)
    for layer in range(LAYERS):
        file.write(np.ascontiguousarray(make_layer(layer), dtype=np.float32).tobytes())
    for values in labels.values():
        file.write(values.tobytes())
