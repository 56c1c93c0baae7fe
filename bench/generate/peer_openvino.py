"""OpenVINO GenAI's ContinuousBatchingPipeline: all prompts together, `num_return_sequences` samples each, prefix caching."""

import numpy
import openvino
import openvino_genai


def open_engine(job: dict):
    settings, sampler = job["settings"], job["sampler"]
    scheduler = openvino_genai.SchedulerConfig()
    scheduler.max_num_seqs = settings["sequences"]
    scheduler.max_num_batched_tokens = settings["tokens"]
    scheduler.cache_size = settings["cacheGib"]
    scheduler.enable_prefix_caching = True
    properties = {"INFERENCE_PRECISION_HINT": settings["precision"], "INFERENCE_NUM_THREADS": job["threads"]}
    pipeline = openvino_genai.ContinuousBatchingPipeline(
        job["weights"], scheduler, "CPU", {**properties, **settings.get("properties", {})})

    def generate(prompts: list[list[int]], new_tokens: int) -> int:
        config = openvino_genai.GenerationConfig()
        config.do_sample = True
        config.temperature, config.top_p = sampler["temperature"], sampler["topP"]
        config.num_return_sequences = job["samples"]
        config.max_new_tokens = new_tokens
        config.stop_token_ids = set(job["endTokenIds"])
        config.stop_strings = set(sampler["stopStrings"])
        inputs = [openvino.Tensor(numpy.array([prompt], dtype=numpy.int64)) for prompt in prompts]
        results = pipeline.generate(inputs, [config] * len(inputs))
        return sum(len(ids) for result in results for ids in result.m_generation_ids)

    return generate
