"""transformers' generate: several prompts per batch, padded on the left, `num_return_sequences` samples each."""

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig


def open_engine(job: dict):
    torch.set_num_threads(job["threads"])
    settings, sampler, ends = job["settings"], job["sampler"], job["endTokenIds"]
    model = AutoModelForCausalLM.from_pretrained(job["weights"], dtype=getattr(torch, job["dtype"])).eval()
    model.generation_config = GenerationConfig(
        do_sample=True, temperature=sampler["temperature"], top_p=sampler["topP"], top_k=0, eos_token_id=ends,
        pad_token_id=ends[0], num_return_sequences=job["samples"], cache_implementation=settings.get("cache"))
    stops = {}
    if sampler["stopStrings"]:
        stops = {"stop_strings": sampler["stopStrings"], "tokenizer": AutoTokenizer.from_pretrained(job["weights"])}
    end_ids = torch.tensor(ends)

    @torch.inference_mode()
    def generate(prompts: list[list[int]], new_tokens: int) -> int:
        torch.manual_seed(1)
        ordered = sorted(prompts, key=len, reverse=True)  # so that little is padding
        size = settings["prompts"]
        return sum(generate_batch(ordered[at:at + size], new_tokens) for at in range(0, len(ordered), size))

    def generate_batch(prompts: list[list[int]], new_tokens: int) -> int:
        longest = max(map(len, prompts))
        ids = torch.tensor([[ends[0]] * (longest - len(prompt)) + prompt for prompt in prompts])
        mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts])
        rows = model.generate(ids, attention_mask=mask, max_new_tokens=new_tokens, **stops)[:, longest:]
        # a row that has ended is filled with end tokens, of which the first counts
        ended = torch.isin(rows, end_ids)
        return int(torch.where(ended.any(1), ended.int().argmax(1) + 1, rows.shape[1]).sum())

    return generate
