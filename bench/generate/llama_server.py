"""llama.cpp's own server loop (xllamacpp, in process): K completions of a prompt that share its state. See ../generate.js."""

import json
import resource
import sys
import time
from pathlib import Path

import xllamacpp


def main() -> None:
    job = json.loads(Path(sys.argv[1]).read_text())
    sampler, samples = job["sampler"], job["samples"]
    params = xllamacpp.CommonParams()
    params.model.path = job["model"]
    params.n_parallel = samples
    params.kv_unified = True  # one cache for all sequences, in which the prompt's cells are shared
    longest = max(len(prompt["ids"]) for prompt in job["prompts"])
    params.n_ctx = longest + samples * (sampler["maxNewTokens"] + 16)
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = job["threads"]
    server = xllamacpp.Server(params)

    def complete(prompt: list[int], new_tokens: int) -> int:
        answers: list = []
        server.handle_completions(
            json.dumps({
                "prompt": prompt, "n_cmpl": samples, "n_predict": new_tokens, "seed": 1, "cache_prompt": False,
                "temperature": sampler["temperature"], "top_p": sampler["topP"], "top_k": 0, "min_p": 0,
                "samplers": ["top_p", "temperature"], "stream": False,
            }), answers.append)
        [reply] = [json.loads(answer) if isinstance(answer, (str, bytes)) else answer for answer in answers]
        if len(reply.get("choices", [])) != samples:
            raise RuntimeError(f"expected {samples} completions, got {str(reply)[:300]}")
        return samples * new_tokens  # an upper bound: the server counts the first completion only

    complete(job["prompts"][0]["ids"], 8)
    began = time.perf_counter()
    tokens = sum(complete(prompt["ids"], sampler["maxNewTokens"]) for prompt in job["prompts"])
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"tokens": tokens, "seconds": seconds, "peakRssBytes": peak}))


if __name__ == "__main__":
    main()
