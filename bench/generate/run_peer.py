"""Runs one peer on one job and prints what it reached as JSON. See ../generate.js.

    python run_peer.py JOB.json

A peer is a module with `open_engine(job)`, which loads the model and returns a function: prompts (lists of token ids) and
a number of new tokens -> how many tokens were generated in all.
"""

import importlib
import json
import os
import sys
import time
from pathlib import Path


def main() -> None:
    job = json.loads(Path(sys.argv[1]).read_text())
    stdout = os.dup(1)
    os.dup2(2, 1)  # libraries print what they like
    generate = importlib.import_module(job["peer"]).open_engine(job)
    load_seconds = seconds_since_start()
    prompts = [prompt["tokenIds"] for prompt in job["prompts"]]
    generate(prompts[:2], 8)
    began = time.perf_counter()
    tokens = generate(prompts, job["sampler"]["maxNewTokens"])
    seconds = time.perf_counter() - began
    os.write(stdout, json.dumps({"tokens": tokens, "seconds": seconds, "loadSeconds": load_seconds}).encode())
    os._exit(0)  # some engines hang on their way out


def seconds_since_start() -> float:
    """Of this process: the interpreter and its imports are part of loading."""
    started = int(Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
