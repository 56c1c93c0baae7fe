"""Tiny random models as GGUF files, and what Python transformers computes with their weights in float32.

Writes test/golden/gguf/NAME.gguf and test/golden/gguf/NAME.safetensors:
  token_ids [T], positions [P], residuals [P, L + 1, D] (before the final norm), final_norm [P, D], logits [P, V]
and, where the architecture is small enough, weight.NAME: every weight under its Hugging Face name.
The weights are made in GGUF's layout, unpacked by the reference package `gguf` and brought into Hugging Face's
layout here; the script checks that transformers gets the same weights from the same file.
Run from the repository root: python test/golden/generate/gguf_models.py
"""

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from gguf import GGMLQuantizationType as T
from gguf import GGUFWriter, RopeScalingType, TokenType
from gguf.quants import dequantize, quantize
from safetensors.torch import save_file
from tokenizers import pre_tokenizers
from transformers import (AutoModelForCausalLM, Gemma3ForCausalLM, Gemma3TextConfig, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, Qwen2Config,
                          Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM)

GOLDEN = Path(__file__).parent.parent / "gguf"
SEED = 11
SEQUENCE_TOKENS = 80
POSITIONS = [0, 1, 2, 31, 63, 64, 79]
VOCABULARY = 264
# large enough that every nonlinearity matters
SPREAD = 0.15
LLAMA3_ROPE = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=32)

SIZES = dict(vocab_size=VOCABULARY, max_position_embeddings=512, bos_token_id=256, eos_token_id=257)
CASES = {
    # all three "K" types, whose blocks need rows of 256 values; tied; Llama 3's rotary frequencies; permuted queries and keys
    "llama-k": (LlamaForCausalLM, LlamaConfig(**SIZES, hidden_size=256, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        head_dim=16, intermediate_size=64, tie_word_embeddings=True, rope_theta=10000.0, rope_scaling=LLAMA3_ROPE, rms_norm_eps=1e-5),
        [T.Q4_K, T.Q5_K, T.Q6_K], [T.Q8_0, T.Q5_1]),
    # every other type; untied; heads wider than hidden / heads; the half-precision matrices stay in the file
    "qwen3-mixed": (Qwen3ForCausalLM, Qwen3Config(**SIZES, hidden_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        head_dim=32, intermediate_size=64, tie_word_embeddings=False, rope_theta=1e6), [T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.Q8_0, T.F16, T.BF16, T.F32], []),
    # nothing to unpack, but queries and keys to permute, in half precision
    "llama-f16": (LlamaForCausalLM, LlamaConfig(**SIZES, hidden_size=48, num_hidden_layers=2, num_attention_heads=6, num_key_value_heads=3,
        intermediate_size=64, tie_word_embeddings=False, attention_bias=True, rope_theta=5e4), [T.F16], []),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config(**SIZES, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1,
        intermediate_size=64, tie_word_embeddings=True, rope_theta=1e6), [T.Q8_0, T.F16], []),
    # norms stored as 1 + weight, four a block and two a head; seven blocks, of which the sixth sees more than the window; a rotation
    # for each kind of block, of which one is stretched
    "gemma3": (Gemma3ForCausalLM, Gemma3TextConfig(**SIZES, hidden_size=32, num_hidden_layers=7, num_attention_heads=2, num_key_value_heads=1,
        head_dim=32, intermediate_size=32, sliding_window=16, query_pre_attn_scalar=32, tie_word_embeddings=True, rope_parameters={
            "full_attention": {"rope_type": "linear", "rope_theta": 1e6, "factor": 8.0},
            "sliding_attention": {"rope_type": "default", "rope_theta": 1e4}}), [T.Q8_0, T.Q5_0, T.F16], []),
    "gpt2": (GPT2LMHeadModel, GPT2Config(vocab_size=VOCABULARY, n_positions=128, n_embd=32, n_layer=1, n_head=2, bos_token_id=256,
        eos_token_id=257), [T.Q8_0, T.F16, T.F32], []),
}
# (scale, minimum) of the "K" types that give values of about SPREAD around zero
K_SCALES = {T.Q4_K: (0.0008, 0.006), T.Q5_K: (0.0004, 0.0062), T.Q6_K: (0.0001, 0.0)}

NAMES = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output", "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down", "transformer.wte": "token_embd", "transformer.wpe": "position_embd",
    "transformer.ln_f": "output_norm", "ln_1": "attn_norm", "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output", "ln_2": "ffn_norm",
    "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down"}
GEMMA3_NAMES = {"post_attention_layernorm": "post_attention_norm", "pre_feedforward_layernorm": "ffn_norm",
    "post_feedforward_layernorm": "post_ffw_norm"}


def gguf_name(name: str, architecture: str) -> str:
    names = NAMES | (GEMMA3_NAMES if architecture == "gemma3" else {})
    stem, suffix = name.rsplit(".", 1)
    for blocks in ("model.layers.", "transformer.h."):
        if stem.startswith(blocks):
            block, part = stem.removeprefix(blocks).split(".", 1)
            return f"blk.{block}.{names[part]}.{suffix}"
    return f"{names[stem]}.{suffix}"


def random_k_blocks(rng: np.random.Generator, shape: tuple[int, ...], kind: T) -> np.ndarray:
    blocks, rows = shape[1] // 256, shape[0]
    size = {T.Q4_K: 144, T.Q5_K: 176, T.Q6_K: 210}[kind]
    packed = rng.integers(0, 256, (rows * blocks, size), dtype=np.uint8)
    for offset, value in zip([208] if kind == T.Q6_K else [0, 2], K_SCALES[kind]):
        halves = (value * rng.uniform(0.5, 1.5, rows * blocks)).astype(np.float16)
        packed[:, offset : offset + 2] = halves.view(np.uint8).reshape(-1, 2)
    return packed.reshape(rows, blocks * size)


def pack(rng: np.random.Generator, shape: tuple[int, ...], kind: T) -> np.ndarray:
    if kind in K_SCALES:
        return random_k_blocks(rng, shape, kind)
    return quantize(rng.normal(0, SPREAD, shape).astype(np.float32), kind)


def from_llama_cpp(weight: np.ndarray, heads: int) -> np.ndarray:
    """Undoes the permutation of convert_hf_to_gguf.py: reshape(heads, 2, half, ...).swapaxes(1, 2)."""
    half = weight.shape[0] // heads // 2
    return weight.reshape(heads, half, 2, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)


def write_tokenizer(writer: GGUFWriter) -> None:
    """One token a byte, special ones, and one that a merge makes (GGUFWriter leaves empty lists out)."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    special = ["<|start|>", "<|end|>", "<think>", "</think>", "<|eot_id|>"]
    kinds = [TokenType.CONTROL, TokenType.CONTROL, TokenType.USER_DEFINED, TokenType.USER_DEFINED, TokenType.CONTROL]
    padding = [f"[PAD{i}]" for i in range(VOCABULARY - 257 - len(special))]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(alphabet + special + ["he"] + padding)
    writer.add_token_types([TokenType.NORMAL] * 256 + kinds + [TokenType.NORMAL] + [TokenType.UNUSED] * len(padding))
    writer.add_token_merges(["h e"])
    writer.add_bos_token_id(256)
    writer.add_eos_token_id(257)
    writer.add_add_bos_token(False)
    writer.add_chat_template("{% for m in messages %}<|start|>{{ m.content }}<|end|>{% endfor %}")


def write_config(writer: GGUFWriter, config) -> None:
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_head_count(config.num_attention_heads)
    writer.add_file_type(0)
    if config.model_type == "gpt2":
        writer.add_feed_forward_length(4 * config.n_embd)
        writer.add_layer_norm_eps(config.layer_norm_epsilon)
        return
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    rope = config.rope_parameters.get("full_attention", config.rope_parameters)
    writer.add_rope_freq_base(rope["rope_theta"])
    if config.model_type == "gemma3_text":
        # neither the pattern of the windows nor the base of the blocks that have one: llama.cpp knows them
        writer.add_sliding_window(config.sliding_window)
        writer.add_rope_scaling_type(RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(rope["factor"])
    head_size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    writer.add_rope_dimension_count(head_size)
    writer.add_key_length(head_size)
    writer.add_value_length(head_size)
    writer.add_vocab_size(config.vocab_size)


def llama3_factors(config) -> np.ndarray:
    """As convert_hf_to_gguf.py writes `rope_freqs.weight`."""
    rope = config.rope_parameters
    frequencies = 1.0 / (rope["rope_theta"] ** (torch.arange(0, config.head_dim, 2, dtype=torch.float32) / config.head_dim))
    low, high = [rope["original_max_position_embeddings"] / rope[f"{side}_freq_factor"] for side in ("low", "high")]
    factors = []
    for frequency in frequencies:
        wavelength = 2 * torch.pi / frequency
        if wavelength < high:
            factors.append(1.0)
        elif wavelength > low:
            factors.append(rope["factor"])
        else:
            smooth = (rope["original_max_position_embeddings"] / wavelength - rope["low_freq_factor"]) / (rope["high_freq_factor"] - rope["low_freq_factor"])
            factors.append(1 / ((1 - smooth) / rope["factor"] + smooth))
    return np.array(factors, dtype=np.float32)


@torch.no_grad()
def run(model: torch.nn.Module, token_ids: torch.Tensor) -> dict[str, torch.Tensor]:
    after_last_block = []
    blocks = model.transformer.h if hasattr(model, "transformer") else model.model.layers
    hook = blocks[-1].register_forward_hook(
        lambda _module, _args, output: after_last_block.append(output[0] if isinstance(output, tuple) else output))
    output = model(token_ids[None], output_hidden_states=True)
    hook.remove()
    residuals = torch.stack([*output.hidden_states[:-1], after_last_block[0]])[:, 0]
    return {
        "residuals": residuals[:, POSITIONS].transpose(0, 1).contiguous(),
        "final_norm": output.hidden_states[-1][0, POSITIONS].contiguous(),
        "logits": output.logits[0, POSITIONS].contiguous(),
    }


def make(name: str) -> None:
    model_class, config, kinds, small_kinds = CASES[name]
    config._attn_implementation = "eager"
    rng = np.random.default_rng(SEED)
    torch.manual_seed(SEED)
    model = model_class(config).eval()
    architecture = config.model_type.removesuffix("_text")
    path = GOLDEN / f"{name}.gguf"
    writer = GGUFWriter(path, architecture)
    write_config(writer, config)
    write_tokenizer(writer)
    if (config.to_dict().get("rope_parameters") or {}).get("rope_type") == "llama3":
        writer.add_tensor("rope_freqs.weight", llama3_factors(config))
    weights = {}
    matrices = 0
    for hf_name, parameter in model.named_parameters():
        conv1d = architecture == "gpt2" and parameter.ndim == 2 and ".h." in hf_name
        shape = tuple(reversed(parameter.shape)) if conv1d else tuple(parameter.shape)
        if parameter.ndim == 1:
            norm = "norm" in hf_name or "ln_" in hf_name
            low, high = (0.5, 1.5) if norm and hf_name.endswith("weight") else (-0.3, 0.3)
            packed, kind = rng.uniform(low, high, shape).astype(np.float32), T.F32
        else:
            fitting = kinds if shape[-1] % 256 == 0 or not small_kinds else small_kinds
            kind = fitting[matrices % len(fitting)]
            matrices += 1
            packed = pack(rng, shape, kind)
        writer.add_tensor(gguf_name(hf_name, architecture), packed, raw_dtype=kind)
        weight = dequantize(packed, kind).reshape(shape)
        if architecture == "llama" and "q_proj" in hf_name:
            weight = from_llama_cpp(weight, config.num_attention_heads)
        if architecture == "llama" and "k_proj" in hf_name:
            weight = from_llama_cpp(weight, config.num_key_value_heads)
        if conv1d:
            weight = weight.T
        if architecture == "gemma3" and parameter.ndim == 1:
            weight = weight - 1
        weights[hf_name] = torch.from_numpy(np.ascontiguousarray(weight))
        parameter.data.copy_(weights[hf_name])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    compare_with_transformers(path, config, weights)
    token_ids = torch.randint(0, VOCABULARY, (SEQUENCE_TOKENS,))
    tensors = {"token_ids": token_ids.to(torch.int32), "positions": torch.tensor(POSITIONS, dtype=torch.int32), **run(model, token_ids)}
    if sum(weight.numel() for weight in weights.values()) < 40_000:
        tensors |= {f"weight.{hf_name}": weight for hf_name, weight in weights.items()}
    versions = {package: version(package) for package in ["gguf", "numpy", "torch", "transformers"]}
    save_file(tensors, GOLDEN / f"{name}.safetensors", metadata={"versions": json.dumps(versions), "dtype": "float32"})
    spread = {hf_name: round(weight.std().item(), 3) for hf_name, weight in weights.items() if weight.ndim > 1}
    print(name, path.stat().st_size, "bytes;", spread)


def compare_with_transformers(path: Path, config, weights: dict[str, torch.Tensor]) -> None:
    # the config is given, since its reader leaves out head sizes, biases and GPT-2's n_positions
    loaded = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, config=config, dtype=torch.float32).state_dict()
    for hf_name, weight in weights.items():
        assert torch.equal(loaded[hf_name], weight), hf_name
    print(f"transformers reads the same {len(weights)} weights")


def main() -> None:
    for name in CASES:
        make(name)


if __name__ == "__main__":
    main()
