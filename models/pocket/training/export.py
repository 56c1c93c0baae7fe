"""Copies a checkpoint of train.py to the folder of the finished model and checks that it loads."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import torch
from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoTokenizer

FILES = ("config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True, help="folder written by train.py")
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent.parent)
    args = parser.parse_args()
    for name in FILES:
        # Written beside and moved, so that a reader never sees half a file.
        partial = args.out / f"{name}.partial"
        shutil.copyfile(args.checkpoint / name, partial)
        partial.replace(args.out / name)
    # The older spellings of two keys, for readers other than the current transformers.
    config_path = args.out / "config.json"
    config = json.loads(config_path.read_text(encoding="utf-8"))
    config["rope_theta"] = config["rope_parameters"]["rope_theta"]
    config["torch_dtype"] = config["dtype"]
    config_path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")

    with safe_open(args.out / "model.safetensors", framework="pt") as tensors:
        names = list(tensors.keys())
        if "lm_head.weight" in names:
            raise ValueError("the tied output matrix must not be stored")
        if any(tensors.get_tensor(name).dtype != torch.bfloat16 for name in names):
            raise ValueError("weights must be bfloat16")
    model = AutoModelForCausalLM.from_pretrained(args.out)
    tokenizer = AutoTokenizer.from_pretrained(args.out)
    inputs = tokenizer.apply_chat_template(
        [{"role": "user", "content": "What is 47 + 85?"}], add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    output = model.generate(**inputs, max_new_tokens=160, do_sample=False, temperature=None, top_p=None)
    print(f"{model.num_parameters()} parameters, {model.dtype}")
    print(tokenizer.decode(output[0]))


if __name__ == "__main__":
    main()
