"""The encoder checkpoints that encoders.py makes: each has the flags that change its forward pass."""

from dataclasses import dataclass

import torch
import transformers as hf


@dataclass(frozen=True)
class Case:
    model: type
    config: hf.PreTrainedConfig
    stored: torch.dtype = torch.float32


# max_position_embeddings 80: texts of 70 tokens are far beyond the buckets below
SMALL = dict(vocab_size=300, hidden_size=24, num_hidden_layers=3, num_attention_heads=3, intermediate_size=40, max_position_embeddings=80,
             hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, initializer_range=0.15)
NLI = dict(id2label={0: "contradiction", 1: "entailment", 2: "neutral"}, label2id={"contradiction": 0, "entailment": 1, "neutral": 2})
DEBERTA = dict(**SMALL, relative_attention=True, pos_att_type="p2c|c2p")

CASES = {
    # as DeBERTa-v3-small is configured, but for the sizes
    "deberta-v3": Case(hf.DebertaV2ForSequenceClassification, hf.DebertaV2Config(**DEBERTA, **NLI, position_buckets=16, norm_rel_ebd="layer_norm", share_att_key=True,
        position_biased_input=False, type_vocab_size=0, pooler_hidden_act="gelu")),
    # as DeBERTa-v2-xlarge: a convolution beside the first block
    "deberta-v2-convolution": Case(hf.DebertaV2ForSequenceClassification, hf.DebertaV2Config(**DEBERTA, **NLI, position_buckets=12, norm_rel_ebd="layer_norm", share_att_key=True,
        position_biased_input=False, conv_kernel_size=3, conv_act="gelu", conv_groups=1, attention_head_size=8), torch.float16),
    # the convolution's block is the last one, where all tokens must be computed; groups, kernel of 5, tanh
    "deberta-v2-one-block": Case(hf.DebertaV2ForSequenceClassification, hf.DebertaV2Config(**{**DEBERTA, "num_hidden_layers": 1}, **NLI, position_buckets=12, share_att_key=True,
        conv_kernel_size=5, conv_groups=2)),
    # projections of its own for distances, no buckets and distances clamped, learned positions, token types, narrower embeddings
    "deberta-v2-c2p": Case(hf.DebertaV2ForSequenceClassification, hf.DebertaV2Config(**{**DEBERTA, "pos_att_type": ["c2p"]}, **NLI, max_relative_positions=20, type_vocab_size=2,
        embedding_size=16, pooler_hidden_act="tanh")),
    "deberta-v2-p2c": Case(hf.DebertaV2ForSequenceClassification, hf.DebertaV2Config(**{**DEBERTA, "pos_att_type": ["p2c"]}, **NLI, position_buckets=16, max_relative_positions=40,
        position_biased_input=False, norm_rel_ebd="layer_norm"), torch.bfloat16),
    # both kinds, projections of their own
    "deberta-v2-unshared": Case(hf.DebertaV2ForSequenceClassification, hf.DebertaV2Config(**DEBERTA, **NLI, position_buckets=32, position_biased_input=False)),
    # no distances at all
    "deberta-v2-absolute": Case(hf.DebertaV2ForSequenceClassification, hf.DebertaV2Config(**SMALL, **NLI, relative_attention=False, type_vocab_size=2)),
    "deberta-v2-hidden": Case(hf.DebertaV2Model, hf.DebertaV2Config(**DEBERTA, position_buckets=16, norm_rel_ebd="layer_norm", share_att_key=True, position_biased_input=False)),
    "bert-classifier": Case(hf.BertForSequenceClassification, hf.BertConfig(**SMALL, **NLI)),
    "bert-hidden": Case(hf.BertModel, hf.BertConfig(**SMALL, hidden_act="gelu_new"), torch.float16),
    "roberta-classifier": Case(hf.RobertaForSequenceClassification, hf.RobertaConfig(**{**SMALL, "max_position_embeddings": 82}, **NLI, type_vocab_size=1)),
    "roberta-hidden": Case(hf.RobertaModel, hf.RobertaConfig(**{**SMALL, "max_position_embeddings": 82}, type_vocab_size=1)),
    "xlm-roberta-classifier": Case(hf.XLMRobertaForSequenceClassification, hf.XLMRobertaConfig(**{**SMALL, "max_position_embeddings": 82}, **NLI, type_vocab_size=1, hidden_act="relu"), torch.bfloat16),
}
