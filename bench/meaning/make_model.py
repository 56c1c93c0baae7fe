"""A model in the shape of cross-encoder/nli-deberta-v3-small with random weights, and a tokenizer of its kind that
splits the benchmark's texts into about as many tokens. See ../meaning.js.
"""

import json
import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import DebertaV2Config, DebertaV2ForSequenceClassification

SPECIAL = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"]
LABELS = ["contradiction", "entailment", "neutral"]


def main() -> None:
    folder = Path(sys.argv[1])
    torch.manual_seed(0)
    config = DebertaV2Config(
        vocab_size=128_100, hidden_size=768, num_hidden_layers=6, num_attention_heads=12, intermediate_size=3072, max_position_embeddings=512,
        relative_attention=True, pos_att_type="p2c|c2p", position_buckets=256, norm_rel_ebd="layer_norm", share_att_key=True, position_biased_input=False,
        type_vocab_size=0, layer_norm_eps=1e-7, id2label=dict(enumerate(LABELS)), label2id={label: index for index, label in enumerate(LABELS)})
    DebertaV2ForSequenceClassification(config).save_pretrained(folder)
    rows = [json.loads(line) for file in sorted(Path("questions").glob("*.jsonl")) for line in file.read_text().splitlines()]
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.Strip(), normalizers.NFKC()])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    trainer = trainers.UnigramTrainer(vocab_size=3000, special_tokens=SPECIAL, unk_token="[UNK]", show_progress=False)
    tokenizer.train_from_iterator([f"{row['question']} {row['answer']}" for row in rows], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1", special_tokens=[("[CLS]", 1), ("[SEP]", 2)])
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 512, "pad_token": "[PAD]"}))


if __name__ == "__main__":
    main()
