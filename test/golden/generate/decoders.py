"""Tiny random checkpoints and what Python transformers computes with them in float32.

Writes test/golden/checkpoints/NAME/ (a checkpoint in Hugging Face format) and test/golden/decoder-NAME.safetensors:
  token_ids [T], positions [P], residuals [P, L + 1, D] (before the final norm), final_norm [P, D], logits [P, V]
Run from the repository root: python test/golden/generate/decoders.py [NAME ...]
"""

import json
import sys
from pathlib import Path

import torch
import transformers
from decoder_cases import CASES
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

GOLDEN = Path(__file__).parent.parent
SEED = 7
# beyond one prefill chunk (256), beyond every window, and beyond 64 = the original context of the llama3 rope
SEQUENCE_TOKENS = 300
POSITIONS = [0, 1, 2, 31, 63, 64, 100, 254, 255, 256, 257, 298, 299]


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
    """Norm weights start as ones (Gemma's, which are one too small, as zeros), which would hide a forgotten or swapped
    one; biases start as zeros."""
    centers = {
        id(module.weight): 0 if "Gemma" in type(module).__name__ else 1
        for module in model.modules() if type(module).__name__.endswith("Norm")
    }
    for name, parameter in model.named_parameters():
        if id(parameter) in centers:
            center = centers[id(parameter)]
            parameter.data.uniform_(center - 0.5, center + 0.5)
        if name.endswith(".bias"):
            parameter.data.normal_(0, 0.3)


@torch.no_grad()
def run(model: torch.nn.Module, token_ids: torch.Tensor) -> dict[str, torch.Tensor]:
    """The residual stream is read where it is, at the blocks' doors, and compared with what transformers reports."""
    trunk = model.get_decoder()
    blocks = trunk.h if hasattr(trunk, "h") else trunk.layers
    final_norm = next(getattr(trunk, name) for name in ("norm", "ln_f", "final_layer_norm") if hasattr(trunk, name))
    residuals, normed = [], []
    hooks = [blocks[0].register_forward_pre_hook(lambda _, args, kwargs: residuals.append(args[0] if args else kwargs["hidden_states"]), with_kwargs=True)]
    for block in blocks:
        hooks.append(block.register_forward_hook(lambda _module, _args, output: residuals.append(output[0] if isinstance(output, tuple) else output)))
    hooks.append(final_norm.register_forward_hook(lambda _module, _args, output: normed.append(output)))
    output = model(token_ids[None], output_hidden_states=True)
    for hook in hooks:
        hook.remove()
    # hidden_states[-1] is after the final norm; all before it are the residual stream
    for ours, theirs in zip([*residuals[:-1], normed[0]], output.hidden_states, strict=True):
        assert torch.equal(ours, theirs)
    stacked = torch.stack(residuals)[:, 0]
    return {
        "residuals": stacked[:, POSITIONS].transpose(0, 1).contiguous(),
        "final_norm": normed[0][0, POSITIONS].contiguous(),
        "logits": output.logits[0, POSITIONS].contiguous(),
    }


def main() -> None:
    for name in sys.argv[1:] or CASES:
        case = CASES[name]
        torch.manual_seed(SEED)
        folder = GOLDEN / "checkpoints" / name
        model = case.model(case.config)
        shake_norms(model)
        model.to(case.stored).save_pretrained(folder, **({"max_shard_size": "60KB"} if case.sharded else {}))
        if case.respell is not None:
            case.respell(folder)
        tokenizer = byte_tokenizer()
        tokenizer.save_pretrained(folder)
        model, loaded = case.model.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True)
        assert not loaded["missing_keys"] and not loaded["mismatched_keys"], loaded
        model.eval()
        token_ids = torch.randint(0, case.config.get_text_config().vocab_size, (SEQUENCE_TOKENS,))
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
