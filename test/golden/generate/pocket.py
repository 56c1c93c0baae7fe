"""What Python transformers makes of the embedded model, in float32.

Writes test/golden/pocket-greedy.json (prompt ids and greedy answers of 50 questions, by `generate`) and
test/golden/pocket-trace.safetensors: for the first SEQUENCES of them, prompt + answer as one sequence,
  token_ids.{i} [T], residuals.{i} [T, L + 1, D] (before the final norm), logits.{i} [T, V]
Run from the repository root: python test/golden/generate/pocket.py
"""

import json
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

ROOT = Path(__file__).parent.parent.parent.parent
GOLDEN = ROOT / "test" / "golden"
PER_SET = 25
SEQUENCES = 2
MAX_NEW_TOKENS = 160


def load_questions(name: str) -> list[str]:
    lines = (ROOT / "questions" / f"{name}.jsonl").read_text().splitlines()
    return [json.loads(line)["question"] for line in lines[:PER_SET]]


@torch.no_grad()
def trace(model: torch.nn.Module, token_ids: list[int]) -> dict[str, torch.Tensor]:
    after_last_block = []
    hook = model.model.layers[-1].register_forward_hook(
        lambda _module, _args, output: after_last_block.append(output[0] if isinstance(output, tuple) else output))
    output = model(torch.tensor([token_ids]), output_hidden_states=True)
    hook.remove()
    # hidden_states[-1] is after the final norm; the last residual is the last block's own output
    residuals = torch.stack([*output.hidden_states[:-1], after_last_block[0]])[:, 0]
    return {"token_ids": torch.tensor(token_ids, dtype=torch.int32), "residuals": residuals.transpose(0, 1).contiguous(), "logits": output.logits[0]}


def main() -> None:
    torch.manual_seed(0)
    folder = ROOT / "models" / "pocket"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    cases = []
    for question in load_questions("arithmetic") + load_questions("word-problems"):
        prompt = tokenizer.apply_chat_template([{"role": "user", "content": question}], add_generation_prompt=True, tokenize=True, return_dict=False)
        answer = model.generate(torch.tensor([prompt]), max_new_tokens=MAX_NEW_TOKENS, do_sample=False)[0, len(prompt):]
        cases.append({"question": question, "prompt_ids": list(prompt), "answer_ids": answer.tolist(), "answer": tokenizer.decode(answer)})
    versions = {"torch": torch.__version__, "transformers": transformers.__version__, "dtype": "float32"}
    (GOLDEN / "pocket-greedy.json").write_text(json.dumps({"versions": versions, "cases": cases}, indent=0) + "\n")
    tensors = {
        f"{name}.{i}": value
        for i, case in enumerate(cases[:SEQUENCES])
        for name, value in trace(model, case["prompt_ids"] + case["answer_ids"]).items()
    }
    save_file(tensors, GOLDEN / "pocket-trace.safetensors", metadata={"versions": json.dumps(versions)})
    print({name: tuple(value.shape) for name, value in tensors.items()})


if __name__ == "__main__":
    main()
