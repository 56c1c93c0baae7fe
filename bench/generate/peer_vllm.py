"""vLLM's offline engine: all prompts together, n samples each, prefix caching."""

import os


def open_engine(job: dict):
    settings, sampler = job["settings"], job["sampler"]
    os.environ.update({
        "VLLM_CPU_KVCACHE_SPACE": str(settings["cacheGib"]), "VLLM_LOGGING_LEVEL": "ERROR", "VLLM_NO_USAGE_STATS": "1",
        "VLLM_CPU_OMP_THREADS_BIND": settings["bind"], "HF_HUB_OFFLINE": "1",
    })
    from vllm import LLM, SamplingParams

    longest = max(len(prompt["tokenIds"]) for prompt in job["prompts"]) + sampler["maxNewTokens"] + 16
    llm = LLM(
        job["weights"], dtype=job["dtype"], max_model_len=longest, max_num_seqs=settings["sequences"],
        max_num_batched_tokens=max(settings["tokens"], longest), enable_prefix_caching=True,
        enforce_eager=settings.get("eager", False), seed=1, disable_log_stats=True)

    def generate(prompts: list[list[int]], new_tokens: int) -> int:
        params = SamplingParams(
            n=job["samples"], temperature=sampler["temperature"], top_p=sampler["topP"], max_tokens=new_tokens,
            stop_token_ids=job["endTokenIds"], stop=sampler["stopStrings"], detokenize=len(sampler["stopStrings"]) > 0)
        outputs = llm.generate([{"prompt_token_ids": prompt} for prompt in prompts], params, use_tqdm=False)
        return sum(len(sample.token_ids) for output in outputs for sample in output.outputs)

    return generate
