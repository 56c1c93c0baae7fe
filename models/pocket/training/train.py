"""Trains the pocket model on CPU from scratch and writes checkpoints in the Hugging Face format."""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from transformers import AutoTokenizer, GenerationConfig, PreTrainedTokenizerBase, Qwen3Config, Qwen3ForCausalLM

from chat import completion, prompt
from generation import greedy_accuracy, held_out_examples

SEED = 7
THREADS = 2
PEAK_LEARNING_RATE = 2e-3
FINAL_LEARNING_RATE_SHARE = 0.02
WARM_UP_STEPS = 200
WEIGHT_DECAY = 0.02
BETAS = (0.9, 0.98)
GRADIENT_CLIP = 1.0
BATCH_EXAMPLES = 48
SORT_WINDOW_BATCHES = 24
IGNORED = -100
QUICK_CHECK_PER_CATEGORY = 12
QUICK_CHECK_SEED = 99


def build_config(tokenizer: PreTrainedTokenizerBase) -> Qwen3Config:
    """Qwen3 architecture, very small."""
    return Qwen3Config(
        architectures=["Qwen3ForCausalLM"],
        vocab_size=len(tokenizer),
        hidden_size=256,
        intermediate_size=640,
        num_hidden_layers=4,
        num_attention_heads=8,
        num_key_value_heads=2,
        head_dim=32,
        max_position_embeddings=1024,
        rms_norm_eps=1e-6,
        rope_theta=10000.0,
        tie_word_embeddings=True,
        attention_bias=False,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def encode(data: Path, tokenizer: PreTrainedTokenizerBase) -> list[tuple[np.ndarray, int]]:
    """Token ids of every example with the length of its prompt."""
    with data.open(encoding="utf-8") as handle:
        records = [json.loads(line) for line in handle]
    backend = tokenizer.backend_tokenizer
    heads = backend.encode_batch([prompt(r["question"], r["system"], r["thinking"]) for r in records])
    tails = backend.encode_batch([completion(r["reasoning"], r["answer"], r["thinking"]) for r in records])
    return [
        (np.array(head.ids + tail.ids, dtype=np.int16), len(head.ids)) for head, tail in zip(heads, tails)
    ]


def batches(
    examples: list[tuple[np.ndarray, int]], rng: np.random.Generator, pad: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Endless right-padded batches (inputs, labels) of examples of about the same length."""
    window = BATCH_EXAMPLES * SORT_WINDOW_BATCHES
    while True:
        order = rng.permutation(len(examples))
        for start in range(0, len(order) - window + 1, window):
            chosen = sorted(order[start : start + window], key=lambda i: len(examples[i][0]))
            for b in rng.permutation(SORT_WINDOW_BATCHES):
                rows = [examples[i] for i in chosen[b * BATCH_EXAMPLES : (b + 1) * BATCH_EXAMPLES]]
                width = max(len(ids) for ids, _ in rows)
                inputs = np.full((len(rows), width - 1), pad, dtype=np.int64)
                labels = np.full((len(rows), width - 1), IGNORED, dtype=np.int64)
                for row, (ids, head) in enumerate(rows):
                    inputs[row, : len(ids) - 1] = ids[:-1]
                    labels[row, head - 1 : len(ids) - 1] = ids[head:]
                yield torch.from_numpy(inputs), torch.from_numpy(labels)


def learning_rate(step: int, steps: int) -> float:
    """Linear warm-up, then a cosine down to a small share of the peak."""
    if step < WARM_UP_STEPS:
        return PEAK_LEARNING_RATE * (step + 1) / WARM_UP_STEPS
    progress = (step - WARM_UP_STEPS) / max(1, steps - WARM_UP_STEPS)
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
    return PEAK_LEARNING_RATE * (FINAL_LEARNING_RATE_SHARE + (1 - FINAL_LEARNING_RATE_SHARE) * cosine)


def build_optimizer(model: Qwen3ForCausalLM) -> torch.optim.AdamW:
    """AdamW with weight decay on matrices only."""
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": WEIGHT_DECAY},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=PEAK_LEARNING_RATE, betas=BETAS, fused=True)


def save(model: Qwen3ForCausalLM, tokenizer_folder: Path, out: Path) -> None:
    """Writes weights in bfloat16, configs and tokenizer to a folder."""
    out.mkdir(parents=True, exist_ok=True)
    copy = Qwen3ForCausalLM(model.config)
    copy.load_state_dict(model.state_dict())
    copy.to(torch.bfloat16)
    copy.config.dtype = torch.bfloat16
    copy.generation_config = GenerationConfig(
        eos_token_id=[model.config.eos_token_id], pad_token_id=model.config.pad_token_id,
        do_sample=True, temperature=0.6, top_p=0.9,
    )
    copy.save_pretrained(out)
    model.config.dtype = torch.float32
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (out / name).write_bytes((tokenizer_folder / name).read_bytes())


def log(path: Path, entry: dict[str, object]) -> None:
    """Prints one line and appends it to the log file."""
    line = json.dumps(entry)
    print(line, flush=True)
    with path.open("a", encoding="utf-8") as handle:
        handle.write(line + "\n")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="JSONL file of generate_data.py")
    parser.add_argument("--tokenizer", type=Path, required=True, help="folder of build_tokenizer.py")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoints and log.jsonl")
    parser.add_argument("--steps", type=int, default=5600, help="length of the learning rate schedule")
    parser.add_argument("--stop-at", type=int, default=4000, help="step after which the run ends")
    parser.add_argument("--save-every", type=int, default=400)
    args = parser.parse_args()
    torch.set_num_threads(THREADS)
    torch.manual_seed(SEED)
    args.out.mkdir(parents=True, exist_ok=True)
    tokenizer = AutoTokenizer.from_pretrained(args.tokenizer)
    model = Qwen3ForCausalLM(build_config(tokenizer))
    optimizer = build_optimizer(model)
    stream = batches(encode(args.data, tokenizer), np.random.default_rng(SEED), tokenizer.pad_token_id)
    checks = held_out_examples(QUICK_CHECK_SEED, QUICK_CHECK_PER_CATEGORY)
    started, tokens, checking, recent = time.monotonic(), 0, 0.0, 0.0
    last = min(args.steps, args.stop_at)
    for step in range(1, last + 1):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step - 1, args.steps)
        inputs, labels = next(stream)
        hidden = model.model(input_ids=inputs, use_cache=False).last_hidden_state
        wanted = labels != IGNORED
        loss = cross_entropy(model.lm_head(hidden[wanted]), labels[wanted])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), GRADIENT_CLIP)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        tokens += int((inputs != tokenizer.pad_token_id).sum())
        recent = loss.item() if step == 1 else 0.98 * recent + 0.02 * loss.item()
        if step % 50 == 0:
            seconds = time.monotonic() - started
            log(args.out / "log.jsonl", {
                "step": step, "loss": round(recent, 4), "tokens": tokens, "seconds": round(seconds), "seconds_checking": round(checking),
                "tokens_per_second": round(tokens / (seconds - checking)),
            })
        if step % args.save_every == 0 or step == last:
            before = time.monotonic()
            save(model, args.tokenizer, args.out / "latest")
            model.eval()
            accuracy = greedy_accuracy(model, tokenizer, checks)
            model.train()
            checking += time.monotonic() - before
            mean = sum(accuracy.values()) / len(accuracy)
            rounded = {category: round(value, 2) for category, value in accuracy.items()}
            log(args.out / "log.jsonl", {"step": step, "greedy_mean": round(mean, 3), "greedy": rounded})


if __name__ == "__main__":
    main()
