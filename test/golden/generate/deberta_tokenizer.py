"""A small tokenizer of DeBERTa-v3's kind (Unigram, SentencePiece's charsmap, [CLS] a [SEP] b [SEP]), and what Python's
tokenizers makes of texts and pairs with it.

The charsmap is compiled by SentencePiece from rules of its own nmt_nfkc kind, but for few characters, to keep the file
small. Writes test/golden/deberta-tokenizer/ (tokenizer.json, tokenizer_config.json) and test/golden/deberta-tokenizer.json:
  normalized [{text, normalized}], singles [{text, ids}], pairs [{first, second, max_tokens, ids, types, truncated}]
Needs sentencepiece beside transformers. Run from the repository root: python test/golden/generate/deberta_tokenizer.py
"""

import json
import tempfile
import unicodedata
from importlib.metadata import version
from pathlib import Path

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

GOLDEN = Path(__file__).parent.parent
FOLDER = GOLDEN / "deberta-tokenizer"
PIECES = 420
MAX_LENGTHS = [8, 9, 16, 17, 24, 512]

TEXTS = [
    "", " ", "  ", "\n", "\t a \n b\r\n", "Paris", " Paris ", "The capital of France is Paris.", "double  spaces   and    more",
    "It costs $3,500.25 (about 3 200 €)!", "naïve café Ünïcödé Straße ﬁne ﬂow", "e\u0301 e\u0301\u0323 A\u0302\u0300 o\u0308\u0304 n\u0303", "ＦＵＬＬ ｗｉｄｔｈ １２３",
    "x² + y³ = ½", "Ⅷ ① ™ ℃", "日本の首都は東京です。", "Привет, мир!", "🙂 👩‍👩‍👧‍👦 🇫🇷 👍🏽", "a\u200bb\u00a0c\u3000d\u2009e\u200df", "\u0000\u0001\u007f control",
    "[SEP] in a text [CLS] [MASK] [UNK] [pad]", "▁under▁", "a_b-c'd \"quoted\" …", "I'm you're it's DON'T", "\u0344 \u0340 \u212b", "x" * 60, "word " * 40,
]
QUESTION = "What is the capital of France?"
PAIRS = [
    (f"{QUESTION} Paris", f"{QUESTION} It is Paris."), ("", ""), ("a", ""), ("", "b"), ("word " * 30, "short"), ("short", "word " * 30), ("word " * 30, "text " * 31),
    ("text " * 31, "word " * 30), ("👩‍👩‍👧 family ﬁne", "ＦＵＬＬ e\u0301"), ("x" * 30, "[SEP] x"),
]


def charsmap_rules() -> str:
    """Lines `from <tab> to` in hexadecimal, as sentencepiece's own nmt_nfkc has them, for some ranges."""
    rules: dict[str, str] = {}
    ranges = [(0xA0, 0x250), (0x340, 0x345), (0x2000, 0x206F), (0x2070, 0x20A0), (0x2100, 0x2190), (0x2460, 0x2480), (0x3000, 0x3001), (0xFB00, 0xFB07), (0xFF01, 0xFF5F)]
    for start, end in ranges:
        for code in range(start, end):
            character = chr(code)
            normalized = unicodedata.normalize("NFKC", character)
            if normalized != character:
                rules[character] = normalized
            decomposed = unicodedata.normalize("NFD", character)
            if decomposed != character and unicodedata.normalize("NFC", decomposed) == character:
                rules[decomposed] = normalized
    for code in [*range(1, 9), 0xB, *range(0xE, 0x20), 0x7F]:
        rules[chr(code)] = ""
    for code in [0x9, 0xA, 0xC, 0xD, 0xA0, *range(0x2000, 0x200D), 0x200E, 0x200F, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000]:
        rules[chr(code)] = " "
    to_hex = lambda text: " ".join(f"{ord(character):X}" for character in text)
    return "".join(f"{to_hex(source)}\t{to_hex(target)}\n" for source, target in sorted(rules.items()))


def train(folder: Path) -> sentencepiece_model_pb2.ModelProto:
    corpus = folder / "corpus.txt"
    questions = Path("questions/general.jsonl").read_text().splitlines()
    corpus.write_text("\n".join(f"{row['question']} {row['answer']}" for row in map(json.loads, questions)))
    rules = folder / "rules.tsv"
    rules.write_text(charsmap_rules())
    sentencepiece.SentencePieceTrainer.train(
        input=str(corpus), model_prefix=str(folder / "spm"), vocab_size=PIECES, model_type="unigram", normalization_rule_tsv=str(rules), num_threads=1,
        pad_id=0, bos_id=1, eos_id=2, unk_id=3, pad_piece="[PAD]", bos_piece="[CLS]", eos_piece="[SEP]", unk_piece="[UNK]", minloglevel=2)
    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString((folder / "spm.model").read_bytes())
    return model


def build(model: sentencepiece_model_pb2.ModelProto) -> Tokenizer:
    """As transformers converts DeBERTa-v3's spm.model."""
    tokenizer = Tokenizer(models.Unigram([(piece.piece, piece.score) for piece in model.pieces] + [("[MASK]", 0.0)], unk_id=3))
    tokenizer.normalizer = normalizers.Sequence([
        normalizers.Strip(), normalizers.Precompiled(model.normalizer_spec.precompiled_charsmap), normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1", special_tokens=[("[CLS]", 1), ("[SEP]", 2)])
    tokenizer.add_special_tokens(["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"])
    return tokenizer


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = build(train(Path(folder)))
    FOLDER.mkdir(exist_ok=True)
    tokenizer.save(str(FOLDER / "tokenizer.json"), pretty=False)
    (FOLDER / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 512, "cls_token": "[CLS]", "sep_token": "[SEP]",
        "pad_token": "[PAD]", "unk_token": "[UNK]", "mask_token": "[MASK]"}) + "\n")
    normalized = [{"text": text, "normalized": tokenizer.normalizer.normalize_str(text)} for text in TEXTS]
    singles = [{"text": text, "ids": tokenizer.encode(text).ids} for text in TEXTS]
    pairs = []
    for first, second in PAIRS:
        whole = tokenizer.encode(first, second)
        for max_tokens in MAX_LENGTHS:
            tokenizer.enable_truncation(max_tokens, strategy="longest_first")
            encoding = tokenizer.encode(first, second)
            tokenizer.no_truncation()
            pairs.append({"first": first, "second": second, "max_tokens": max_tokens, "ids": encoding.ids, "types": encoding.type_ids, "truncated": len(encoding.ids) < len(whole.ids)})
    versions = {name: version(name) for name in ["sentencepiece", "tokenizers"]}
    (GOLDEN / "deberta-tokenizer.json").write_text(json.dumps({"versions": versions, "normalized": normalized, "singles": singles, "pairs": pairs}, ensure_ascii=True) + "\n")
    print(len(pairs), "pairs;", tokenizer.get_vocab_size(), "tokens;", sum(file.stat().st_size for file in FOLDER.iterdir()), "bytes")


if __name__ == "__main__":
    main()
