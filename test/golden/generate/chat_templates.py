"""Renders chat templates and encodes the texts with transformers, for test/golden/chat-templates.json.

Run: python test/golden/generate/chat_templates.py

The tokenizer is the embedded model's, with the templates' special tokens added; the file names them, so that the
test builds the same one.
"""

import json
from pathlib import Path

import jinja2
import tokenizers
import transformers
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

ROOT = Path(__file__).resolve().parents[3]
TEMPLATES = ROOT / "test/golden/chat-templates"
ADDED = [
    "<|begin_of_text|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
    "<bos>",
    "<start_of_turn>",
    "<end_of_turn>",
    "<s>",
    "</s>",
    "[INST]",
    "[/INST]",
]
BEGIN = {"like-llama3": "<|begin_of_text|>", "like-gemma2": "<bos>", "like-mistral": "<s>", "smollm2": "<|im_start|>"}
END = {"like-llama3": "<|eot_id|>", "like-gemma2": "<end_of_turn>", "like-mistral": "</s>"}

SYSTEM = {"role": "system", "content": "Be brief.\n"}
QUESTION = {"role": "user", "content": "  What is 12 + 30? <think> is a tag, {{ 1 }} is not. \n"}
ANSWER = {"role": "assistant", "content": "<think>\n12 + 30\n</think>\n\n\\boxed{42}"}
MORE = {"role": "user", "content": "Sure? Zürich, 東京, \U0001f600"}
CONVERSATIONS = [[QUESTION], [SYSTEM, QUESTION], [QUESTION, ANSWER, MORE], [SYSTEM, QUESTION, ANSWER, MORE], [MORE, MORE]]


def build_tokenizer() -> Tokenizer:
    content = json.loads((ROOT / "models/pocket/tokenizer.json").read_text())
    first = max(token["id"] for token in content["added_tokens"]) + 1
    for offset, text in enumerate(ADDED):
        content["added_tokens"].append(
            {"id": first + offset, "content": text, "single_word": False, "lstrip": False,
             "rstrip": False, "normalized": False, "special": True}
        )
    return Tokenizer.from_str(json.dumps(content))


def render(name: str, messages: list, **options) -> dict:
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=build_tokenizer(),
        bos_token=BEGIN.get(name),
        eos_token=END.get(name, "<|im_end|>"),
        chat_template=(TEMPLATES / f"{name}.jinja").read_text(),
    )
    case = {"template": name, "messages": messages, "options": options}
    try:
        text = tokenizer.apply_chat_template(messages, tokenize=False, **options)
    except jinja2.TemplateError as error:
        return {**case, "error": str(error)}
    ids = tokenizer.apply_chat_template(messages, tokenize=True, return_dict=False, **options)
    return {**case, "text": text, "ids": list(ids)}


def main() -> None:
    cases = []
    for name in sorted(path.stem for path in TEMPLATES.glob("*.jinja")):
        for messages in CONVERSATIONS:
            for begin in (True, False):
                cases.append(render(name, messages, add_generation_prompt=begin))
        for thinking in (True, False):
            cases.append(render(name, [QUESTION], add_generation_prompt=True, enable_thinking=thinking))
    versions = {"transformers": transformers.__version__, "tokenizers": tokenizers.__version__, "jinja2": jinja2.__version__}
    golden = {"versions": versions, "added_tokens": ADDED, "bos": BEGIN, "eos": END, "cases": cases}
    (ROOT / "test/golden/chat-templates.json").write_text(json.dumps(golden, ensure_ascii=False) + "\n")
    print(len(cases), "cases,", sum("error" in case for case in cases), "of them errors")


if __name__ == "__main__":
    main()
