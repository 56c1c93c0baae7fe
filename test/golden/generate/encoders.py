"""Tiny random encoder checkpoints and what Python transformers computes with them in float32.

Writes test/golden/encoders/NAME/ (config.json, model.safetensors) and test/golden/encoder-NAME.safetensors:
  input_ids, attention_mask, token_type_ids [B, S] (padded on the right), and logits [B, labels] or
  last_hidden_state [B, S, D]
Run from the repository root: python test/golden/generate/encoders.py [NAME ...]
"""

import json
import sys
from pathlib import Path

import torch
import transformers
from encoder_cases import CASES
from safetensors.torch import save_file

GOLDEN = Path(__file__).parent.parent
SEED = 11
# of the texts in the batch; 70 is far beyond the buckets' linear part
LENGTHS = [70, 33, 18, 5, 2]


def shake(model: torch.nn.Module) -> None:
    """Norms start as ones and biases as zeros, which would hide a forgotten or swapped one."""
    for name, parameter in model.named_parameters():
        if "LayerNorm.weight" in name:
            parameter.data.uniform_(0.5, 1.5)
        elif name.endswith(".bias"):
            parameter.data.normal_(0, 0.3)


def make_batch(config: transformers.PreTrainedConfig) -> dict[str, torch.Tensor]:
    shape = len(LENGTHS), max(LENGTHS)
    # transformers' RoBERTa counts positions by what is no padding token, so no token of a text may be one
    ids = torch.randint(3, config.vocab_size, shape)
    mask = torch.zeros(shape, dtype=torch.long)
    types = torch.zeros(shape, dtype=torch.long)
    for row, length in enumerate(LENGTHS):
        mask[row, :length] = 1
        ids[row, length:] = config.pad_token_id
        if config.type_vocab_size > 1:
            types[row, length // 2 : length] = 1
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}


@torch.no_grad()
def main() -> None:
    for name in sys.argv[1:] or CASES:
        case = CASES[name]
        torch.manual_seed(SEED)
        folder = GOLDEN / "encoders" / name
        model = case.model(case.config)
        shake(model)
        model.to(case.stored).save_pretrained(folder)
        model, loaded = case.model.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True)
        assert not loaded["missing_keys"] and not loaded["mismatched_keys"], loaded
        model.eval()
        batch = make_batch(case.config)
        output = model(**batch)
        result = "logits" if "logits" in output else "last_hidden_state"
        save_file(
            {**{key: value.to(torch.int32) for key, value in batch.items()}, result: output[result].contiguous()},
            GOLDEN / f"encoder-{name}.safetensors",
            metadata={"versions": json.dumps({"torch": torch.__version__, "transformers": transformers.__version__}), "dtype": "float32"},
        )
        print(name, result, tuple(output[result].shape), output[result].std().item(), sum(f.stat().st_size for f in folder.iterdir()))


if __name__ == "__main__":
    main()
