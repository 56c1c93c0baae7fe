"""llama.cpp's server of OpenAI's API, for ../serve.js: `pip install xllamacpp`.

    python peer_llama.py MODEL.gguf PORT [THREADS]

As many conversations at a time as are measured, in one batch, with the room of a prompt and its answer for each.
"""

import os
import signal
import sys

import xllamacpp

CONVERSATIONS = 32
ROOM = 1024

parameters = xllamacpp.CommonParams()
parameters.model.path = sys.argv[1]
parameters.hostnames = ["127.0.0.1"]
parameters.port = int(sys.argv[2])
parameters.n_parallel = CONVERSATIONS
parameters.n_ctx = CONVERSATIONS * ROOM
parameters.n_gpu_layers = 0
parameters.verbosity = 1
threads = int(sys.argv[3]) if len(sys.argv) > 3 else len(os.sched_getaffinity(0))
parameters.cpuparams.n_threads = threads
parameters.cpuparams_batch.n_threads = threads
server = xllamacpp.Server(parameters)
print(server.listening_address, flush=True)
signal.sigwait({signal.SIGTERM, signal.SIGINT})
os._exit(0)  # its threads are the library's, and do not end by themselves
