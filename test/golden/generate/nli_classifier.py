"""A tiny random NLI model of DeBERTa-v3's kind with its tokenizer, the same kind of model exported to ONNX, and the
logits that Python transformers and onnxruntime give pairs of texts.

Writes test/golden/nli/deberta/ (a checkpoint), test/golden/nli/exported/ (BERT as onnx/model.onnx and its quantised
files, without safetensors), and test/golden/nli.json: pairs, and per model the logits of each pair cut to MAX_TOKENS.
Run deberta_tokenizer.py first. Run from the repository root: python test/golden/generate/nli_classifier.py
"""

import json
import shutil
from importlib.metadata import version
from pathlib import Path

import onnxruntime
import torch
import transformers as hf
from encoders import shake
from onnxruntime.quantization import QuantType, quantize_dynamic

GOLDEN = Path(__file__).parent.parent
SEED = 5
MAX_TOKENS = 48
SMALL = dict(hidden_size=24, num_hidden_layers=2, num_attention_heads=2, intermediate_size=40, max_position_embeddings=MAX_TOKENS, initializer_range=0.3)
LABELS = ["contradiction", "entailment", "neutral"]
PAIRS = [
    ("What is the capital of France? Paris", "What is the capital of France? It is Paris."), ("What is the capital of France? It is Paris.", "What is the capital of France? Paris"),
    ("", ""), ("a", ""), ("A man plays.", "👩‍👩‍👧 family e\u0301"), ("word " * 80, "short"), ("text " * 50, "word " * 60),
]


def copy_tokenizer(folder: Path) -> hf.PreTrainedTokenizerFast:
    for file in (GOLDEN / "deberta-tokenizer").iterdir():
        shutil.copy(file, folder / file.name)
    return hf.PreTrainedTokenizerFast.from_pretrained(folder)


def encode(tokenizer: hf.PreTrainedTokenizerFast, pair: tuple[str, str]) -> dict[str, torch.Tensor]:
    # as a batch of one: alone, transformers takes an empty second text for none
    return tokenizer([pair], truncation="longest_first", max_length=MAX_TOKENS, return_tensors="pt", return_token_type_ids=True)


def make(model: hf.PreTrainedModel) -> hf.PreTrainedModel:
    shake(model)
    return model.eval()


@torch.no_grad()
def deberta(folder: Path) -> list[list[float]]:
    config = hf.DebertaV2Config(vocab_size=421, **SMALL, id2label=dict(enumerate(LABELS)), label2id={label: i for i, label in enumerate(LABELS)}, relative_attention=True,
        pos_att_type="p2c|c2p", position_buckets=16, norm_rel_ebd="layer_norm", share_att_key=True, position_biased_input=False)
    model = make(hf.DebertaV2ForSequenceClassification(config))
    model.save_pretrained(folder)
    tokenizer = copy_tokenizer(folder)
    return [model(**encode(tokenizer, pair)).logits[0].tolist() for pair in PAIRS]


@torch.no_grad()
def exported(folder: Path) -> dict[str, list[list[float]]]:
    """Two labels in upper case, as another kind of checkpoint has them."""
    config = hf.BertConfig(vocab_size=421, **SMALL, id2label={0: "ENTAILMENT", 1: "NOT_ENTAILMENT"}, label2id={"ENTAILMENT": 0, "NOT_ENTAILMENT": 1})
    config.architectures = ["BertForSequenceClassification"]
    model = make(hf.BertForSequenceClassification(config))
    model.config.save_pretrained(folder)
    tokenizer = copy_tokenizer(folder)
    (folder / "onnx").mkdir(exist_ok=True)
    plain = folder / "onnx" / "model.onnx"
    example = encode(tokenizer, PAIRS[0])
    names = ["input_ids", "attention_mask", "token_type_ids"]
    axes = {name: {0: "batch", 1: "sequence"} for name in names} | {"logits": {0: "batch"}}
    torch.onnx.export(model, tuple(example[name] for name in names), plain, input_names=names, output_names=["logits"], dynamic_axes=axes, opset_version=17, dynamo=False)
    for name, kind in [("model_quint8_avx2", QuantType.QUInt8), ("model_qint8_arm64", QuantType.QInt8)]:
        quantize_dynamic(plain, folder / "onnx" / f"{name}.onnx", weight_type=kind)
    results = {}
    for file in sorted((folder / "onnx").iterdir()):
        session = onnxruntime.InferenceSession(str(file))
        feeds = [{name: tensor.numpy() for name, tensor in encode(tokenizer, pair).items() if name in names} for pair in PAIRS]
        results[file.stem] = [session.run(["logits"], feed)[0][0].tolist() for feed in feeds]
    reference = [model(**encode(tokenizer, pair)).logits[0] for pair in PAIRS]
    print("export against torch", max((torch.tensor(a) - b).abs().max().item() for a, b in zip(results["model"], reference)))
    return results


def main() -> None:
    torch.manual_seed(SEED)
    folders = {name: GOLDEN / "nli" / name for name in ["deberta", "exported"]}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    logits = {"deberta": deberta(folders["deberta"]), **exported(folders["exported"])}
    versions = {name: version(name) for name in ["onnxruntime", "tokenizers", "torch", "transformers"]}
    (GOLDEN / "nli.json").write_text(json.dumps({"versions": versions, "max_tokens": MAX_TOKENS, "pairs": PAIRS, "logits": logits}) + "\n")
    print({name: rows[0] for name, rows in logits.items()})


if __name__ == "__main__":
    main()
