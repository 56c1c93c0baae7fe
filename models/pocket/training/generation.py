"""Loading, batched sampling and checking of answers, shared by train.py and evaluate.py."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import torch
from transformers import PreTrainedTokenizerBase, Qwen3ForCausalLM

from chat import IM_END, THINK_END, THINK_START
from generate_data import SIZES, Example, is_held_out, make_example

MAX_NEW_TOKENS = 160
WELL_FORMED = re.compile(
    re.escape(THINK_START) + r"\n(?P<reasoning>.+)\n" + re.escape(THINK_END)
    + r"\n\n\\boxed\{(?P<answer>-?\d+)\}" + re.escape(IM_END),
    re.DOTALL,
)


@dataclass(frozen=True)
class Generation:
    """One generated text (up to and with its end token) and its length in tokens."""

    text: str
    tokens: int

    @property
    def answer(self) -> str | None:
        """The boxed integer, or None where the text is not well formed."""
        match = WELL_FORMED.fullmatch(self.text)
        if match is None or THINK_START in match["reasoning"] or THINK_END in match["reasoning"]:
            return None
        return match["answer"]


def generate(
    model: Qwen3ForCausalLM,
    tokenizer: PreTrainedTokenizerBase,
    questions: Sequence[str],
    *,
    samples: int = 1,
    temperature: float = 0.0,
    top_p: float = 1.0,
    batch_size: int = 400,
    thinking: bool = True,
) -> list[list[Generation]]:
    """`samples` generations for each question; temperature 0 is greedy decoding."""
    prompts = [
        tokenizer.apply_chat_template(
            [{"role": "user", "content": q}], tokenize=False, add_generation_prompt=True, enable_thinking=thinking
        )
        for q in questions
        for _ in range(samples)
    ]
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    results: list[Generation | None] = [None] * len(prompts)
    how = {"do_sample": True, "temperature": temperature, "top_p": top_p, "top_k": 0} if temperature else {"do_sample": False}
    end = tokenizer.eos_token_id
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        inputs = tokenizer([prompts[i] for i in chosen], return_tensors="pt", padding=True, padding_side="left")
        with torch.inference_mode():
            output = model.generate(
                input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], max_new_tokens=MAX_NEW_TOKENS,
                eos_token_id=end, pad_token_id=tokenizer.pad_token_id, **how,
            )
        for i, row in zip(chosen, output[:, inputs["input_ids"].shape[1] :].tolist()):
            ids = row[: row.index(end) + 1] if end in row else row
            results[i] = Generation(tokenizer.decode(ids), len(ids))
    flat = [r for r in results if r is not None]
    return [flat[i : i + samples] for i in range(0, len(flat), samples)]


def held_out_examples(seed: int, per_category: int) -> list[Example]:
    """`per_category` different questions of every kind and size, all from the held-out bucket."""
    rng = Random(seed)
    seen: set[str] = set()
    examples: list[Example] = []
    for kind, sizes in SIZES.items():
        for size in sizes:
            found = 0
            while found < per_category:
                example = make_example(rng, kind, size)
                if is_held_out(example.question) and example.question not in seen:
                    seen.add(example.question)
                    examples.append(example)
                    found += 1
    return examples


def greedy_accuracy(
    model: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerBase, examples: Sequence[Example]
) -> dict[str, float]:
    """Share of right greedy answers by category."""
    generations = generate(model, tokenizer, [e.question for e in examples])
    right: dict[str, list[bool]] = {}
    for example, (generation,) in zip(examples, generations):
        right.setdefault(example.category, []).append(generation.answer == str(example.answer))
    return {category: sum(values) / len(values) for category, values in right.items()}
