"""Float32 bit patterns with their float16 and bfloat16 roundings. Run: python half.py > ../half.json"""

import json
import sys

import numpy as np
import torch

rng = np.random.default_rng(0)
special = np.array(
    [
        0x00000000, 0x80000000, 0x7F800000, 0xFF800000, 0x00000001, 0x007FFFFF,  # zeros, infinities, subnormals
        0x33000000, 0x33000001, 0x32FFFFFF, 0x33800000, 0x33C00000, 0x34400000,  # around float16's least subnormal
        0x387FC000, 0x387FDFFF, 0x387FE000, 0x387FF000, 0x38800000,  # where its subnormals end
        0x477FE000, 0x477FEFFF, 0x477FF000, 0x477FFFFF, 0x47800000,  # its largest, and the tie to infinity
        0x3F801000, 0x3F803000, 0x3F808000, 0x3F818000, 0x3F808001, 0x7F7FFFFF, 0x7F7F8000,  # ties
    ],
    dtype=np.uint32,
)
# Exponents around float16's range, any sign and fraction.
exponents = rng.integers(100, 145, 400).astype(np.uint32)
fractions = rng.integers(0, 2**23, 400).astype(np.uint32)
signs = rng.integers(0, 2, 400).astype(np.uint32)
anywhere = rng.integers(0, 0xFF << 23, 200).astype(np.uint32) & np.uint32(0x7F7FFFFF)
bits = np.concatenate([special, (signs << 31) | (exponents << 23) | fractions, anywhere])

values = bits.view(np.float32)
with np.errstate(over="ignore"):
    float16 = values.astype(np.float16).view(np.uint16)
bfloat16 = torch.from_numpy(values.copy()).to(torch.bfloat16).view(torch.int16).numpy().view(np.uint16)
json.dump(
    {
        "versions": {"python": sys.version.split()[0], "numpy": np.__version__, "torch": torch.__version__},
        "float32_bits": bits.tolist(),
        "float16_bits": float16.tolist(),
        "bfloat16_bits": bfloat16.tolist(),
    },
    sys.stdout,
)
