"""Arrays of every type that the store reads, as numpy saves them. Run: python npz.py (writes ../numpy*.npz)."""

from pathlib import Path

import numpy as np

golden = Path(__file__).parent.parent
arrays = {
    "f4": np.array([[0.5, -1.25, 3e-39], [np.inf, -0.0, 1e38]], dtype=np.float32),
    "f8": np.array([0.1, np.nan, -1e300]),
    "i4": np.array([[-1], [2**31 - 1]], dtype=np.int32),
    "i8": np.array([-(2**53) + 1, 0, 2**53 - 1], dtype=np.int64),
    "u1": np.array([0, 255], dtype=np.uint8),
    "b1": np.array([True, False, True]),
    "text": np.array(["gsm8k-0001", "", "é🦊 \\n"]),
    "fortran": np.asfortranarray(np.arange(24, dtype=np.int64).reshape(2, 3, 4)),
    "scalar": np.array(7.5),
    "empty": np.zeros((0, 5), dtype=np.float32),
    "numpy_version": np.array(np.__version__),
}
np.savez(golden / "numpy.npz", **arrays)
np.savez_compressed(golden / "numpy-compressed.npz", **arrays)
