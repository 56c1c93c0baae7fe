"""Seconds of a model's linear layers in torch, for each number of rows: the fastest of a few passes. See roofline.js."""

import json
import sys
import time
from pathlib import Path

import torch
from torch.nn.functional import linear


@torch.inference_mode()
def main() -> None:
    job = json.loads(Path(sys.argv[1]).read_text())
    torch.set_num_threads(job["threads"])
    times = {}
    for dtype in (torch.float32, torch.bfloat16):
        weights = [torch.randn(outputs, inputs, dtype=dtype) for inputs, outputs, count in job["shapes"] for _ in range(count)]
        times[str(dtype).removeprefix("torch.")] = [seconds_of(weights, rows, job["repeats"]) for rows in job["rows"]]
    print(json.dumps(times))


def seconds_of(weights: list[torch.Tensor], rows: int, repeats: int) -> float:
    inputs = {weight.shape[1]: torch.randn(rows, weight.shape[1], dtype=weight.dtype) for weight in weights}
    times = []
    for _ in range(repeats + 1):
        began = time.perf_counter()
        for weight in weights:
            linear(inputs[weight.shape[1]], weight)
        times.append(time.perf_counter() - began)
    return min(times)


if __name__ == "__main__":
    main()
