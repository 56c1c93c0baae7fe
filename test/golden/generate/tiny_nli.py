"""A tiny BERT that has learnt by heart which answers to three questions mean the same, and passes an NLI model's
self-test: a whole model of inference for tests from the command line to the entropies. Its probabilities beside it are
what transformers computes of the saved checkpoint.
Run: python tiny_nli.py (made with Python 3.11, torch 2.13.0, transformers 5.24.0, tokenizers 0.23.3)"""

import json
import shutil
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertForSequenceClassification

GOLDEN = Path(__file__).resolve().parent.parent
FOLDER = GOLDEN / "nli" / "tiny"
LABELS = ["contradiction", "entailment", "neutral"]
E, N, C = 1, 2, 0

# question -> answers, and what answer i (premise) makes of answer j (hypothesis)
QUESTIONS = {
    "What is the capital of France?": (
        ["Paris", "It is Paris", "Lyon", "The capital is Paris"],
        [[E, E, C, E], [E, E, C, E], [C, C, E, C], [E, E, C, E]],
    ),
    # each entails its neighbour both ways, and the ends do not: no grouping does justice to them
    "How warm is it?": (
        ["mild", "warm", "hot"],
        [[E, E, N], [E, E, E], [N, E, E]],
    ),
    # the full name entails the short one; the other way round it is open
    "Who wrote Hamlet?": (
        ["William Shakespeare", "Shakespeare", "Marlowe"],
        [[E, E, C], [N, E, C], [C, C, E]],
    ),
}
SELF_TEST = [
    ("A man is playing a guitar on a stage in front of a crowd.", "A man is playing an instrument.", E),
    ("The shop is closed on Sundays.", "The shop is open on Sundays.", C),
]

pairs = list(SELF_TEST)
for question, (answers, labels) in QUESTIONS.items():
    for i, a in enumerate(answers):
        for j, b in enumerate(answers):
            if i != j:
                pairs.append((f"{question} {a}", f"{question} {b}", labels[i][j]))

tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
corpus = [text for a, b, _ in pairs for text in (a, b)]
tokenizer.train_from_iterator(corpus, trainers.WordPieceTrainer(vocab_size=200, special_tokens=special))
cls, sep = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
tokenizer.post_processor = processors.TemplateProcessing(
    single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", cls), ("[SEP]", sep)]
)

torch.manual_seed(0)
torch.set_num_threads(1)
config = BertConfig(
    vocab_size=tokenizer.get_vocab_size(),
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=64,
    max_position_embeddings=64,
    hidden_dropout_prob=0,
    attention_probs_dropout_prob=0,
    id2label=dict(enumerate(LABELS)),
    label2id={label: i for i, label in enumerate(LABELS)},
)
model = BertForSequenceClassification(config)


def encode(texts):
    tokenizer.enable_padding(pad_id=0)
    encoded = tokenizer.encode_batch(texts)
    tokenizer.no_padding()
    read = lambda name: torch.tensor([getattr(each, name) for each in encoded])
    return {"input_ids": read("ids"), "token_type_ids": read("type_ids"), "attention_mask": read("attention_mask")}


inputs = encode([(a, b) for a, b, _ in pairs])
targets = torch.tensor([label for _, _, label in pairs])
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.01)
for step in range(400):
    loss = torch.nn.functional.cross_entropy(model(**inputs).logits, targets, label_smoothing=0.05)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
model.eval()

shutil.rmtree(FOLDER, ignore_errors=True)
FOLDER.mkdir(parents=True)
model.save_pretrained(FOLDER)
tokenizer.save(str(FOLDER / "tokenizer.json"))
(FOLDER / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 64}) + "\n")

with torch.no_grad():
    probs = BertForSequenceClassification.from_pretrained(FOLDER).eval()(**inputs).logits.softmax(-1)
assert (probs.argmax(-1) == targets).all(), "not learnt"
golden = [
    {"premise": a, "hypothesis": b, **{label: float(p[i]) for i, label in enumerate(LABELS)}}
    for (a, b, _), p in zip(pairs, probs)
]
(GOLDEN / "nli-tiny.json").write_text(json.dumps({"pairs": golden}) + "\n")
