"""Rotary settings as checkpoints spell them, and the inverse frequencies that transformers derives from each.

Writes test/golden/rope.json: per case the config's fields, inverse frequencies, and the factor on cosines and sines.
Run from the repository root: python test/golden/generate/rope.py
"""

import json
from pathlib import Path

import torch
import transformers
from transformers import GPTNeoXConfig, LlamaConfig, Phi3Config
from transformers.models.gpt_neox.modeling_gpt_neox import GPTNeoXRotaryEmbedding
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding
from transformers.models.phi3.modeling_phi3 import Phi3RotaryEmbedding

SIZES = dict(hidden_size=2048, num_attention_heads=16, max_position_embeddings=131072)
CASES = {
    "default": ("llama", {}),
    "theta": ("llama", {"rope_theta": 500000.0}),
    "theta in rope_parameters": ("llama", {"rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0}}),
    "linear, old spelling": ("llama", {"rope_theta": 100000.0, "rope_scaling": {"type": "linear", "factor": 2.5}}),
    "linear": ("llama", {"rope_parameters": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1000000.0}}),
    "rope_scaling wins": ("llama", {"rope_scaling": {"rope_type": "linear", "factor": 3.0}, "rope_parameters": {"rope_type": "linear", "factor": 8.0, "rope_theta": 777.0}}),
    "dynamic": ("llama", {"rope_theta": 500000.0, "rope_scaling": {"type": "dynamic", "factor": 2.0}}),
    "llama3": ("llama", {"rope_theta": 500000.0, "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}}),
    "llama3, original context beside it": ("llama", {"original_max_position_embeddings": 4096, "rope_scaling": {"rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}}),
    "yarn": ("llama", {"rope_theta": 1000000.0, "rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}}),
    "yarn with betas": ("llama", {"rope_scaling": {"rope_type": "yarn", "factor": 16.0, "original_max_position_embeddings": 4096, "beta_fast": 20, "beta_slow": 2, "attention_factor": 1.25}}),
    "yarn without original context": ("llama", {"rope_scaling": {"rope_type": "yarn", "factor": 2.0}}),
    "longrope": ("phi3", {"rope_scaling": {"type": "longrope", "short_factor": [1 + i / 20 for i in range(64)], "long_factor": [2.0] * 64}}),
    "longrope, partial": ("phi3", {"partial_rotary_factor": 0.75, "original_max_position_embeddings": 8192,
                                   "rope_scaling": {"type": "longrope", "attention_factor": 1.5, "short_factor": [1 + i / 9 for i in range(48)], "long_factor": [2.0] * 48}}),
    "gpt_neox": ("gpt_neox", {}),
    "gpt_neox, old spelling": ("gpt_neox", {"rotary_pct": 0.3, "rotary_emb_base": 25000}),
    "gpt_neox, linear": ("gpt_neox", {"rotary_pct": 0.5, "rope_scaling": {"type": "linear", "factor": 2.0}}),
}
CLASSES = {"llama": (LlamaConfig, LlamaRotaryEmbedding), "phi3": (Phi3Config, Phi3RotaryEmbedding), "gpt_neox": (GPTNeoXConfig, GPTNeoXRotaryEmbedding)}


def main() -> None:
    cases = []
    for name, (model_type, fields) in CASES.items():
        config_class, rotary_class = CLASSES[model_type]
        stated = {"model_type": model_type, **SIZES, **fields}
        # from_dict changes nested dicts in place
        rotary = rotary_class(config_class.from_dict(json.loads(json.dumps(stated))))
        cases.append({"name": name, "config": stated, "inverse_frequencies": rotary.inv_freq.tolist(), "magnitude": rotary.attention_scaling})
    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    path = Path(__file__).parent.parent / "rope.json"
    path.write_text(json.dumps({"versions": versions, "dtype": "float32", "cases": cases}) + "\n")


if __name__ == "__main__":
    main()
