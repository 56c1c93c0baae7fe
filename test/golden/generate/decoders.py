"""Tiny random checkpoints and what Python transformers computes with them in float32.

Writes test/golden/checkpoints/NAME/ (a checkpoint in Hugging Face format) and test/golden/decoder-NAME.safetensors:
  token_ids [T], positions [P], residuals [P, L + 1, D] (before the final norm), final_norm [P, D], logits [P, V]
Run from the repository root: python test/golden/generate/decoders.py
"""

import json
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

GOLDEN = Path(__file__).parent.parent
SEED = 7
# beyond one prefill chunk (256), beyond 64 = the original context of the llama3 rope below
SEQUENCE_TOKENS = 300
POSITIONS = [0, 1, 2, 31, 63, 64, 100, 254, 255, 256, 257, 298, 299]
# large enough that every nonlinearity matters; the default 0.02 would let wrong graphs pass
INITIALIZER_RANGE = 0.15

SIZES = dict(hidden_size=48, num_hidden_layers=3, num_attention_heads=6, intermediate_size=80, vocab_size=264,
             max_position_embeddings=512, initializer_range=INITIALIZER_RANGE, bos_token_id=None, eos_token_id=257)

CASES = {
    # GQA of 3, heads wider than hidden / heads, tied embeddings
    "qwen3-tied": (Qwen3ForCausalLM, Qwen3Config(**SIZES, num_key_value_heads=2, head_dim=16, tie_word_embeddings=True), torch.float32),
    # stored in bfloat16, biases on the projections
    "qwen3-untied-bf16": (Qwen3ForCausalLM, Qwen3Config(**SIZES, num_key_value_heads=3, head_dim=8, tie_word_embeddings=False, attention_bias=True, rope_theta=1e6), torch.bfloat16),
    "llama-untied-llama3-rope": (LlamaForCausalLM, LlamaConfig(**SIZES, num_key_value_heads=2, tie_word_embeddings=False, rope_theta=10000.0, rope_scaling=dict(
        rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64)), torch.float32),
    # no GQA, stored in float16 over several shards
    "llama-tied-f16-sharded": (LlamaForCausalLM, LlamaConfig(**SIZES, num_key_value_heads=6, tie_word_embeddings=True), torch.float16),
}


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """One token a byte, and three end and think tokens."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={symbol: i for i, symbol in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken("<|start|>", special=True), AddedToken("<|end|>", special=True)])
    tokenizer.add_tokens([AddedToken("<think>", special=False), AddedToken("</think>", special=False)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|end|>")


def shake_norms(model: torch.nn.Module) -> None:
    """Norm weights start as ones, which would hide a forgotten or swapped one; biases start as zeros."""
    for name, parameter in model.named_parameters():
        if "norm" in name:
            parameter.data.uniform_(0.5, 1.5)
        if name.endswith(".bias"):
            parameter.data.normal_(0, 0.3)


@torch.no_grad()
def run(model: torch.nn.Module, token_ids: torch.Tensor) -> dict[str, torch.Tensor]:
    after_last_block = []
    hook = model.model.layers[-1].register_forward_hook(
        lambda _module, _args, output: after_last_block.append(output[0] if isinstance(output, tuple) else output))
    output = model(token_ids[None], output_hidden_states=True)
    hook.remove()
    # hidden_states[-1] is after the final norm; the residual of the last layer is the last block's own output
    residuals = torch.stack([*output.hidden_states[:-1], after_last_block[0]])[:, 0]
    return {
        "residuals": residuals[:, POSITIONS].transpose(0, 1).contiguous(),
        "final_norm": output.hidden_states[-1][0, POSITIONS].contiguous(),
        "logits": output.logits[0, POSITIONS].contiguous(),
    }


def main() -> None:
    for name, (model_class, config, stored_dtype) in CASES.items():
        torch.manual_seed(SEED)
        folder = GOLDEN / "checkpoints" / name
        model = model_class(config)
        shake_norms(model)
        shard = {"max_shard_size": "60KB"} if "sharded" in name else {}
        model.to(stored_dtype).save_pretrained(folder, **shard)
        tokenizer = byte_tokenizer()
        tokenizer.save_pretrained(folder)
        model = model_class.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
        token_ids = torch.randint(0, config.vocab_size, (SEQUENCE_TOKENS,))
        tensors = run(model, token_ids)
        greedy = model.generate(token_ids[None, :20], max_new_tokens=24, do_sample=False, pad_token_id=0)[0, 20:]
        save_file(
            {"token_ids": token_ids.to(torch.int32), "positions": torch.tensor(POSITIONS, dtype=torch.int32), "greedy_after_20": greedy.to(torch.int32), **tensors},
            GOLDEN / f"decoder-{name}.safetensors",
            metadata={"versions": json.dumps({"torch": torch.__version__, "transformers": transformers.__version__}), "dtype": "float32"},
        )
        print(name, [f"{key} {tuple(value.shape)}" for key, value in tensors.items()])


if __name__ == "__main__":
    main()
