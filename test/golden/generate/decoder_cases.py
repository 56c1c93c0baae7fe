"""The tiny checkpoints of decoders.py: for each architecture, configs that cover what can change its forward pass."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import transformers as hf
from safetensors import safe_open
from safetensors.torch import save_file

# large enough that every nonlinearity matters; the default 0.02 would let wrong graphs pass
INITIALIZER_RANGE = 0.15
GENERAL = dict(vocab_size=264, initializer_range=INITIALIZER_RANGE, bos_token_id=None, eos_token_id=257)
WIDE = dict(**GENERAL, hidden_size=48, num_hidden_layers=3, num_attention_heads=6, intermediate_size=80, max_position_embeddings=512)
SMALL = dict(**GENERAL, hidden_size=32, num_hidden_layers=3, num_attention_heads=4, intermediate_size=48, max_position_embeddings=512, pad_token_id=None)


@dataclass(frozen=True)
class Case:
    model: type
    config: hf.PretrainedConfig
    stored: torch.dtype
    # changes the saved folder into another spelling of the same model, before transformers reads it for the golden
    respell: Callable[[Path], None] | None = None
    sharded: bool = False


def edit_config(folder: Path, remove: list[str], **fields: object) -> None:
    path = folder / "config.json"
    config = {key: value for key, value in json.loads(path.read_text()).items() if key not in remove}
    path.write_text(json.dumps({**config, **fields}, indent=2) + "\n")


def respell_layer_types(folder: Path) -> None:
    """Before transformers 4.53, windows followed from other fields alone."""
    edit_config(folder, ["layer_types"])


def respell_gpt2(folder: Path) -> None:
    """As the first GPT-2 checkpoints are: no prefix, and causal masks among the weights."""
    path = folder / "model.safetensors"
    with safe_open(path, "pt") as file:
        tensors = {name.removeprefix("transformer."): file.get_tensor(name) for name in file.keys()}
    for layer in range(3):
        tensors[f"h.{layer}.attn.bias"] = torch.ones(1, 1, 4, 4).tril()
    save_file(tensors, path, metadata={"format": "pt"})


def respell_gemma3(folder: Path) -> None:
    """The fields of transformers 4."""
    edit_config(folder, ["rope_parameters", "layer_types"], rope_theta=50_000.0, rope_local_base_freq=2000.0,
                rope_scaling={"factor": 4.0, "rope_type": "linear"}, sliding_window_pattern=3)


def respell_neox(folder: Path) -> None:
    edit_config(folder, ["rope_parameters"], rotary_pct=0.25, rotary_emb_base=5000)


def respell_phi3(folder: Path) -> None:
    rope = json.loads((folder / "config.json").read_text())["rope_parameters"]
    factors = {key: rope[key] for key in ("short_factor", "long_factor")}
    edit_config(folder, ["rope_parameters"], rope_theta=10_000.0, partial_rotary_factor=0.75, rope_scaling={"type": "longrope", **factors})


LINEAR = {"rope_type": "linear", "factor": 4.0, "rope_theta": 50_000.0}

CASES = {
    # GQA of 3, heads wider than hidden / heads, tied embeddings
    "qwen3-tied": Case(hf.Qwen3ForCausalLM, hf.Qwen3Config(**WIDE, num_key_value_heads=2, head_dim=16, tie_word_embeddings=True), torch.float32),
    # stored in bfloat16, biases on the projections
    "qwen3-untied-bf16": Case(hf.Qwen3ForCausalLM, hf.Qwen3Config(**WIDE, num_key_value_heads=3, head_dim=8, tie_word_embeddings=False, attention_bias=True, rope_theta=1e6), torch.bfloat16),
    # a window in the last block, yarn
    "qwen3-window-yarn": Case(hf.Qwen3ForCausalLM, hf.Qwen3Config(**SMALL, num_key_value_heads=2, head_dim=12, tie_word_embeddings=True, use_sliding_window=True, sliding_window=40, max_window_layers=2,
        rope_parameters=dict(rope_type="yarn", rope_theta=100.0, factor=4.0, original_max_position_embeddings=4096)), torch.bfloat16),
    "llama-untied-llama3-rope": Case(hf.LlamaForCausalLM, hf.LlamaConfig(**WIDE, num_key_value_heads=2, tie_word_embeddings=False, rope_theta=10000.0, rope_scaling=dict(
        rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64)), torch.float32),
    # no GQA, stored in float16 over several shards
    "llama-tied-f16-sharded": Case(hf.LlamaForCausalLM, hf.LlamaConfig(**WIDE, num_key_value_heads=6, tie_word_embeddings=True), torch.float16, sharded=True),
    # MQA, biases everywhere, heads narrower than hidden / heads, stretched rope, another activation
    "llama-biases-linear-rope": Case(hf.LlamaForCausalLM, hf.LlamaConfig(**SMALL, num_key_value_heads=1, head_dim=6, tie_word_embeddings=True, attention_bias=True, mlp_bias=True, hidden_act="gelu",
        rms_norm_eps=1e-3, rope_parameters=LINEAR), torch.float32),
    # a window in every block, GQA
    "mistral-window": Case(hf.MistralForCausalLM, hf.MistralConfig(**SMALL, num_key_value_heads=2, head_dim=12, sliding_window=48, tie_word_embeddings=False), torch.bfloat16),
    # no window, MHA
    "mistral-full": Case(hf.MistralForCausalLM, hf.MistralConfig(**SMALL, num_key_value_heads=4, sliding_window=None, tie_word_embeddings=True), torch.float32),
    "qwen2-tied": Case(hf.Qwen2ForCausalLM, hf.Qwen2Config(**SMALL, num_key_value_heads=2, tie_word_embeddings=True, rope_theta=1e6), torch.float32),
    # windows in the later blocks, MHA
    "qwen2-window": Case(hf.Qwen2ForCausalLM, hf.Qwen2Config(**SMALL, num_key_value_heads=4, tie_word_embeddings=False, use_sliding_window=True, sliding_window=30, max_window_layers=1), torch.bfloat16, respell_layer_types),
    # windows in every other block, both soft caps, head_dim and query scale of its own, MQA
    "gemma2-softcaps": Case(hf.Gemma2ForCausalLM, hf.Gemma2Config(**SMALL, num_key_value_heads=1, head_dim=12, query_pre_attn_scalar=20, sliding_window=50, attn_logit_softcapping=3.0, final_logit_softcapping=4.0), torch.bfloat16, respell_layer_types),
    # none of them, biases, layers of given types, MHA, untied
    "gemma2-plain": Case(hf.Gemma2ForCausalLM, hf.Gemma2Config(**SMALL, num_key_value_heads=4, head_dim=6, query_pre_attn_scalar=6, sliding_window=35, attn_logit_softcapping=None, final_logit_softcapping=None,
        attention_bias=True, tie_word_embeddings=False, hidden_activation="gelu", layer_types=["full_attention", "full_attention", "sliding_attention"]), torch.bfloat16),
    # local and global rotation, the global one stretched
    "gemma3-text": Case(hf.Gemma3ForCausalLM, hf.Gemma3TextConfig(**SMALL, num_key_value_heads=2, head_dim=12, query_pre_attn_scalar=20, sliding_window=45, sliding_window_pattern=2, final_logit_softcapping=4.0,
        rope_parameters=dict(full_attention=LINEAR, sliding_attention=dict(rope_type="default", rope_theta=2000.0))), torch.bfloat16),
    "gemma3-text-respelled": Case(hf.Gemma3ForCausalLM, hf.Gemma3TextConfig(**SMALL, num_key_value_heads=1, head_dim=10, query_pre_attn_scalar=10, sliding_window=64), torch.bfloat16, respell_gemma3),
    # the language model of one that sees images
    "gemma3-images": Case(hf.Gemma3ForConditionalGeneration, hf.Gemma3Config(
        text_config=hf.Gemma3TextConfig(**SMALL, num_key_value_heads=4, head_dim=8, query_pre_attn_scalar=8, sliding_window=20, sliding_window_pattern=2),
        vision_config=hf.SiglipVisionConfig(hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1, image_size=8, patch_size=4), mm_tokens_per_image=4, eos_token_id=257), torch.bfloat16),
    # half of each head rotated, a window, GQA
    "phi3-window": Case(hf.Phi3ForCausalLM, hf.Phi3Config(**SMALL, num_key_value_heads=2, sliding_window=60, tie_word_embeddings=False, rope_parameters=dict(rope_type="default", rope_theta=10_000.0, partial_rotary_factor=0.5)), torch.bfloat16),
    # LongRoPE within the original context
    "phi3-longrope": Case(hf.Phi3ForCausalLM, hf.Phi3Config(**{**SMALL, "max_position_embeddings": 4096}, original_max_position_embeddings=320, num_key_value_heads=4, tie_word_embeddings=True,
        rope_parameters=dict(rope_type="longrope", rope_theta=10_000.0, partial_rotary_factor=0.75, short_factor=[1.0, 1.3, 2.1], long_factor=[1.0, 5.0, 20.0])), torch.float32, respell_phi3),
    "olmo2-gqa": Case(hf.Olmo2ForCausalLM, hf.Olmo2Config(**SMALL, num_key_value_heads=2, tie_word_embeddings=False, attention_bias=True), torch.bfloat16),
    "olmo2-mha": Case(hf.Olmo2ForCausalLM, hf.Olmo2Config(**SMALL, num_key_value_heads=4, tie_word_embeddings=True, rope_parameters=LINEAR), torch.float32),
    # a quarter of heads of 10 rotated: an odd 2.5 -> 2; stored as the first Pythia checkpoints are
    "gpt-neox-parallel": Case(hf.GPTNeoXForCausalLM, hf.GPTNeoXConfig(**{**SMALL, "hidden_size": 40}, tie_word_embeddings=False), torch.float16, respell_neox),
    # one sublayer after the other, 3 of 8 numbers rotated (rounded up to 4), no attention biases
    "gpt-neox-sequential": Case(hf.GPTNeoXForCausalLM, hf.GPTNeoXConfig(**SMALL, tie_word_embeddings=True, use_parallel_residual=False, attention_bias=False, hidden_act="gelu_fast",
        rope_parameters=dict(rope_type="default", rope_theta=10_000.0, partial_rotary_factor=0.4)), torch.float32),
    # heads of an odd size, stored as the first GPT-2 checkpoints are
    "gpt2-tied": Case(hf.GPT2LMHeadModel, hf.GPT2Config(**GENERAL, n_positions=320, n_embd=30, n_layer=3, n_head=2), torch.float16, respell_gpt2),
    # another feed-forward size and activation, attention scaled by layer, untied
    "gpt2-scaled-by-layer": Case(hf.GPT2LMHeadModel, hf.GPT2Config(**GENERAL, n_positions=512, n_embd=24, n_layer=3, n_head=3, n_inner=44, activation_function="relu", scale_attn_by_inverse_layer_idx=True,
        reorder_and_upcast_attn=True, tie_word_embeddings=False), torch.bfloat16),
    "gpt2-unscaled": Case(hf.GPT2LMHeadModel, hf.GPT2Config(**GENERAL, n_positions=300, n_embd=16, n_layer=2, n_head=4, n_inner=40, activation_function="gelu", scale_attn_weights=False), torch.bfloat16),
}
