"""Tiny random sentence embedders and the vectors that sentence-transformers gives texts.

Writes test/golden/sentences/mean/ (as sentence-transformers saves it), test/golden/sentences/cls/ (as its old versions
did, with one flag for each way of pooling) and test/golden/sentences.json: texts, and per model their vectors.
Run deberta_tokenizer.py first. Needs sentence-transformers. Run from the repository root:
python test/golden/generate/sentence_embedder.py
"""

import json
import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path

import torch
import transformers as hf
from encoders import shake
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

GOLDEN = Path(__file__).parent.parent
SEED = 3
MAX_TOKENS = 24
TEXTS = ["Paris", "It is Paris.", "", "naïve ﬁne 👩‍👩‍👧", "word " * 40, "The capital of France is Paris, I think."]


def make(name: str, pooling: str) -> list[list[float]]:
    folder = GOLDEN / "sentences" / name
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory() as plain:
        model = hf.BertModel(hf.BertConfig(vocab_size=421, hidden_size=24, num_hidden_layers=2, num_attention_heads=2, intermediate_size=40, max_position_embeddings=48, initializer_range=0.3))
        shake(model)
        model.save_pretrained(plain)
        for file in (GOLDEN / "deberta-tokenizer").iterdir():
            shutil.copy(file, Path(plain) / file.name)
        module = Transformer(plain, max_seq_length=MAX_TOKENS)
        sentences = SentenceTransformer(modules=[module, Pooling(24, pooling), Normalize()], device="cpu")
        sentences.save(str(folder), create_model_card=False)
        # transformers rewrites it
        shutil.copy(GOLDEN / "deberta-tokenizer" / "tokenizer.json", folder / "tokenizer.json")
    if pooling == "cls":
        flags = {"word_embedding_dimension": 24, "pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False, "pooling_mode_max_tokens": False, "pooling_mode_mean_sqrt_len_tokens": False}
        (folder / "1_Pooling" / "config.json").write_text(json.dumps(flags) + "\n")
    return SentenceTransformer(str(folder), device="cpu").encode(TEXTS).tolist()


def main() -> None:
    torch.manual_seed(SEED)
    vectors = {name: make(name, name) for name in ["mean", "cls"]}
    versions = {name: version(name) for name in ["sentence-transformers", "tokenizers", "torch", "transformers"]}
    (GOLDEN / "sentences.json").write_text(json.dumps({"versions": versions, "texts": TEXTS, "vectors": vectors}) + "\n")


if __name__ == "__main__":
    main()
