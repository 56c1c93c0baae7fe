"""Small vocabularies of each kind as GGUF files without weights, and what the reference tokenizers make of texts.

Writes test/golden/gguf/tokenizer-NAME.gguf and test/golden/gguf/tokenizers.json: per NAME the ids of every text.
Byte-level BPE is trained and run by `tokenizers` with the pre-tokenizer of the models' own tokenizer.json;
SentencePiece is trained and run by `sentencepiece`, so that its scores and ties are the original's.
Run from the repository root: python test/golden/generate/gguf_tokenizers.py
"""

import io
import json
from importlib.metadata import version
from pathlib import Path

import sentencepiece
from gguf import GGUFWriter, TokenType
from smollm2 import TEXTS
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

GOLDEN = Path(__file__).parent.parent / "gguf"
VOCABULARY = 600
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
REST = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
# name of the pre-tokenizer: (patterns, ignore merges, BOS, NFC), as in the tokenizer.json of GPT-2, SmolLM2, Llama 3,
# Qwen2.5 and Mistral Nemo; "default" as llama.cpp defines it
BYTE_LEVEL = {
    "gpt-2": ([GPT2], False, False, False),
    "smollm": ([r"\p{N}", GPT2], False, False, False),
    "llama-bpe": ([CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|" + REST], True, True, False),
    "qwen2": ([CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|" + REST], False, False, True),
    "tekken": ([r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+"
        r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"], True, True, False),
    "default": ([r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]"], False, False, False),
}
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
USER_DEFINED = ["<think>", "   \t"]
# texts that a trainer sees often enough to make merges of
CORPUS = TEXTS * 20


def train_byte_level(name: str) -> Tokenizer:
    patterns, ignore_merges, bos, composed = BYTE_LEVEL[name]
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    tokenizer.normalizer = normalizers.NFC() if composed else None
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        *[pre_tokenizers.Split(Regex(pattern), behavior="isolated") for pattern in patterns],
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False,
        special_tokens=[AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.add_tokens([AddedToken(token, special=False, normalized=False) for token in USER_DEFINED])
    return tokenizer


def write_byte_level(name: str) -> list[list[int]]:
    tokenizer = train_byte_level(name)
    model = json.loads(tokenizer.to_str())["model"]
    vocabulary = tokenizer.get_vocab(with_added_tokens=True)
    tokens = sorted(vocabulary, key=vocabulary.get)
    writer = GGUFWriter(GOLDEN / f"tokenizer-{name}.gguf", "llama")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(name)
    writer.add_token_list(tokens)
    writer.add_token_types([kind_of(token) for token in tokens])
    writer.add_token_merges([" ".join(merge) for merge in model["merges"]])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(2)
    finish(writer)
    start = [0] if BYTE_LEVEL[name][2] else []
    return [start + tokenizer.encode(text, add_special_tokens=False).ids for text in TEXTS]


def kind_of(token: str) -> TokenType:
    return TokenType.CONTROL if token in SPECIAL else TokenType.USER_DEFINED if token in USER_DEFINED else TokenType.NORMAL


def write_sentencepiece() -> list[list[int] | None]:
    """Ids of texts that name no special token: sentencepiece itself knows none in a text."""
    model = io.BytesIO()
    # as Llama 2's: nothing normalised, all white space kept, a space before the text, bytes for what has no piece
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter([text for text in CORPUS if "\u0000" not in text]), model_writer=model,
        vocab_size=VOCABULARY, model_type="bpe", byte_fallback=True, character_coverage=0.99, normalization_rule_name="identity",
        remove_extra_whitespaces=False, add_dummy_prefix=True, split_digits=True, allow_whitespace_only_pieces=True,
        hard_vocab_limit=False, control_symbols=["<|im_start|>", "<|im_end|>"], minloglevel=2)
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    writer = GGUFWriter(GOLDEN / "tokenizer-llama.gguf", "llama")
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    ids = range(processor.get_piece_size())
    kinds = [TokenType.UNKNOWN if processor.is_unknown(i) else TokenType.CONTROL if processor.is_control(i) else
        TokenType.BYTE if processor.is_byte(i) else TokenType.NORMAL for i in ids]
    writer.add_token_list([processor.id_to_piece(i) for i in ids])
    writer.add_token_scores([processor.get_score(i) for i in ids])
    writer.add_token_types(kinds)
    writer.add_bos_token_id(processor.bos_id())
    writer.add_eos_token_id(processor.eos_id())
    writer.add_unk_token_id(processor.unk_id())
    finish(writer)
    return [None if "<|im_start|>" in text else [processor.bos_id(), *processor.encode(text)] for text in TEXTS]


def finish(writer: GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main() -> None:
    ids = {name: write_byte_level(name) for name in BYTE_LEVEL} | {"llama": write_sentencepiece()}
    versions = {name: version(name) for name in ["gguf", "sentencepiece", "tokenizers"]}
    content = {"versions": versions, "texts": TEXTS, "ids": ids}
    (GOLDEN / "tokenizers.json").write_text(json.dumps(content, ensure_ascii=True).replace("], \"", "],\n\"") + "\n")
    print({name: sum(len(each or []) for each in texts) for name, texts in ids.items()})


if __name__ == "__main__":
    main()
