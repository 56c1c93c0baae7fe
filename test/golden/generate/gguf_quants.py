"""What the reference package `gguf` unpacks from random blocks of each tensor type that is implemented.

Writes test/golden/gguf-quants.safetensors: per type NAME.blocks [bytes] uint8 and NAME.values [values] float32.
The first blocks have extreme half-precision scales, the others random bytes throughout.
Run from the repository root: python test/golden/generate/gguf_quants.py
"""

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import dequantize
from safetensors.numpy import save_file

GOLDEN = Path(__file__).parent.parent
SEED = 5
TYPES = ["F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K"]
# zeros, smallest and largest subnormals, smallest normal, one, largest, infinities, NaN
EXTREMES = [0x0000, 0x8000, 0x0001, 0x8001, 0x03FF, 0x0400, 0x3C00, 0x7BFF, 0xFBFF, 0x7C00, 0xFC00, 0x7E00]
# byte offsets of a block's half-precision scale and minimum
HALVES = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}
RANDOM_BLOCKS = 12


def blocks_of(name: str, rng: np.random.Generator) -> np.ndarray:
    block_size, block_bytes = GGML_QUANT_SIZES[GGMLQuantizationType[name]]
    if block_size == 1:
        return rng.integers(0, 256, 128 * block_bytes, dtype=np.uint8)
    blocks = rng.integers(0, 256, (len(EXTREMES) + RANDOM_BLOCKS, block_bytes), dtype=np.uint8)
    for row, bits in enumerate(EXTREMES):
        for place, offset in enumerate(HALVES[name]):
            # a minimum that differs from the scale, so that the two cannot be swapped unseen
            value = EXTREMES[(row + 5 * place) % len(EXTREMES)] if place else bits
            blocks[row, offset : offset + 2] = np.frombuffer(np.uint16(value).tobytes(), np.uint8)
    return blocks.reshape(-1)


def main() -> None:
    rng = np.random.default_rng(SEED)
    tensors = {}
    with np.errstate(all="ignore"):
        for name in TYPES:
            blocks = blocks_of(name, rng)
            tensors[f"{name}.blocks"] = blocks
            tensors[f"{name}.values"] = dequantize(blocks.copy(), GGMLQuantizationType[name]).reshape(-1).astype(np.float32)
    versions = {"gguf": version("gguf"), "numpy": np.__version__}
    save_file(tensors, GOLDEN / "gguf-quants.safetensors", metadata={"versions": json.dumps(versions)})
    print({name: tensor.shape for name, tensor in tensors.items()})


if __name__ == "__main__":
    main()
