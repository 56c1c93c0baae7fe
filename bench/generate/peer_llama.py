"""llama.cpp's own server loop (xllamacpp, in process): K completions of a prompt share its cells, several prompts in parallel."""

import json
from concurrent.futures import ThreadPoolExecutor
from urllib.request import Request, urlopen

import xllamacpp


def open_engine(job: dict):
    settings, sampler, samples = job["settings"], job["sampler"], job["samples"]
    longest = max(len(prompt["tokenIds"]) for prompt in job["prompts"])
    params = xllamacpp.CommonParams()
    params.model.path = job["weights"]
    params.n_parallel = settings["prompts"] * samples
    params.kv_unified = True  # one cache for all slots, in which the samples of a prompt share its cells
    params.n_ctx = settings["prompts"] * (longest + samples * (sampler["maxNewTokens"] + 16))
    params.n_batch = params.n_ubatch = settings.get("batch", 512)
    params.cont_batching = True
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = settings.get("threads", job["threads"])
    server = xllamacpp.Server(params)

    def ask(method, request: dict) -> dict:
        replies: list = []
        method(json.dumps(request), replies.append)
        [reply] = [json.loads(reply) if isinstance(reply, (str, bytes)) else reply for reply in replies]
        return reply

    def complete(prompt: list[int], new_tokens: int) -> list[dict]:
        reply = ask(server.handle_completions, {
            "prompt": prompt, "n_cmpl": samples, "n_predict": new_tokens, "seed": 1, "cache_prompt": True,
            "temperature": sampler["temperature"], "top_p": sampler["topP"], "top_k": 0, "min_p": 0,
            "samplers": ["top_p", "temperature"], "stop": sampler["stopStrings"], "stream": False,
        })
        choices = reply.get("choices", [])
        if len(choices) != samples:
            raise RuntimeError(f"expected {samples} completions, got {str(reply)[:300]}")
        return choices

    def count_tokens(choice: dict, new_tokens: int) -> int:
        """The server counts the first completion only, so the others' texts are tokenised again."""
        if choice["finish_reason"] == "length":
            return new_tokens
        request = Request(
            f"{server.listening_address}/tokenize", headers={"Content-Type": "application/json"},
            data=json.dumps({"content": choice["text"], "add_special": False}).encode())
        with urlopen(request, timeout=60) as reply:
            return len(json.load(reply)["tokens"]) + 1

    def generate(prompts: list[list[int]], new_tokens: int) -> int:
        with ThreadPoolExecutor(settings["prompts"]) as pool:
            answers = list(pool.map(lambda prompt: complete(prompt, new_tokens), prompts))
        return sum(count_tokens(choice, new_tokens) for choices in answers for choice in choices)

    return generate
