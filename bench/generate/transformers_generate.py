"""Python transformers' generate(num_return_sequences=K) on CPU torch. See ../generate.js."""

import json
import resource
import sys
import time
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM


def main() -> None:
    job = json.loads(Path(sys.argv[1]).read_text())
    torch.set_num_threads(job["threads"])
    path = Path(job["model"])
    source = {"gguf_file": path.name} if path.suffix == ".gguf" else {}
    model = AutoModelForCausalLM.from_pretrained(path.parent if source else path, dtype=torch.float32, **source).eval()
    sampler = job["sampler"]

    def generate(prompt: list[int], new_tokens: int) -> int:
        torch.manual_seed(1)
        output = model.generate(
            torch.tensor([prompt]), attention_mask=torch.ones(1, len(prompt), dtype=torch.long), do_sample=True,
            num_return_sequences=job["samples"], max_new_tokens=new_tokens, temperature=sampler["temperature"],
            top_p=sampler["topP"], top_k=0, eos_token_id=job["endTokens"], pad_token_id=job["endTokens"][0])
        ends = torch.tensor(job["endTokens"])
        lengths = []
        for row in output[:, len(prompt):]:
            stops = torch.isin(row, ends).nonzero()
            lengths.append(int(stops[0]) + 1 if len(stops) else len(row))
        return sum(lengths)

    with torch.no_grad():
        generate(job["prompts"][0]["ids"], 8)
        began = time.perf_counter()
        tokens = sum(generate(prompt["ids"], sampler["maxNewTokens"]) for prompt in job["prompts"])
        seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"tokens": tokens, "seconds": seconds, "peakRssBytes": peak}))


if __name__ == "__main__":
    main()
