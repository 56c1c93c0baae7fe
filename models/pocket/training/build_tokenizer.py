"""Trains the byte-level BPE tokenizer on the training data and writes it with its chat template."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from chat import CHAT_TEMPLATE, END_OF_TEXT, IM_END, IM_START, THINK_END, THINK_START, completion, prompt

VOCAB_SIZE = 768
TRAINING_LINES = 100_000
# The splitting rule of Qwen2 and Qwen3: words, single digits, punctuation, line breaks.
SPLIT_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPECIAL_TOKENS = (END_OF_TEXT, IM_START, IM_END)
PLAIN_ADDED_TOKENS = (THINK_START, THINK_END)


def train(texts: list[str], vocab_size: int) -> Tokenizer:
    """A byte-level BPE tokenizer with all 256 bytes, so that any text can be encoded."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT_PATTERN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - len(SPECIAL_TOKENS) - len(PLAIN_ADDED_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in SPECIAL_TOKENS])
    tokenizer.add_tokens([AddedToken(t, special=False, normalized=False) for t in PLAIN_ADDED_TOKENS])
    return tokenizer


def corpus(data: Path) -> list[str]:
    """The plain texts the merges are learnt from."""
    texts: list[str] = []
    with data.open(encoding="utf-8") as handle:
        for _, line in zip(range(TRAINING_LINES), handle):
            record = json.loads(line)
            texts += [record["question"], record["reasoning"], f"\\boxed{{{record['answer']}}}", "\n\n"]
            texts += ["system\n", "user\n", "assistant\n"]
            if record["system"]:
                texts.append(record["system"])
    return texts


def check(tokenizer: PreTrainedTokenizerFast) -> None:
    """Makes sure that the chat template writes what training sees, and that the text round-trips."""
    for system in (None, "You are a helpful assistant."):
        messages = [{"role": "system", "content": system}] if system else []
        messages.append({"role": "user", "content": "What is 47 + 85?"})
        for thinking in (True, False):
            rendered = tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=True, enable_thinking=thinking
            )
            if rendered != prompt("What is 47 + 85?", system, thinking):
                raise ValueError(f"chat template and training prompt differ: {rendered!r}")
    text = prompt("Was ist 4 × 5? 😀", None, True) + completion("4*5=20", 20, True)
    if tokenizer.decode(tokenizer.encode(text)) != text:
        raise ValueError("the tokenizer does not round-trip")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="JSONL file of generate_data.py")
    parser.add_argument("--out", type=Path, required=True, help="folder to write the tokenizer to")
    parser.add_argument("--vocab-size", type=int, default=VOCAB_SIZE)
    args = parser.parse_args()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=train(corpus(args.data), args.vocab_size),
        eos_token=IM_END,
        pad_token=END_OF_TEXT,
        model_max_length=1024,
        clean_up_tokenization_spaces=False,
        padding_side="left",
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    check(tokenizer)
    args.out.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(args.out, save_jinja_files=False)
    # The class name that every release of transformers knows.
    config_path = args.out / "tokenizer_config.json"
    config = json.loads(config_path.read_text(encoding="utf-8"))
    config.pop("backend", None)
    config["tokenizer_class"] = "PreTrainedTokenizerFast"
    config_path.write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
