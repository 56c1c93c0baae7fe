# /// script
# requires-python = ">=3.10"
# dependencies = ["nnsight>=0.5,<0.9", "torch>=2.4", "transformers>=4.51", "safetensors>=0.4", "accelerate>=1"]
# ///
"""Reads hidden states with nnsight for `sep trace --backend nnsight`.

One JSON object a line, on standard input and standard output. Standard output carries nothing else: what libraries
print there goes to standard error. The first line in is

    {"kind": "open", "model", "folder", "revision", "device", "dtype", "remote"}

- model: a folder, or with `remote` a model of NDIF; revision: of the latter, or null; folder: where the tokenizer is
- device: "auto", "cpu", "cuda", "cuda:1", "mps", ...; dtype: "auto" or a name of torch's, such as "bfloat16"
- remote: false; true for NDIF, whose key is in NDIF_API_KEY; "local" to go through NDIF's way of sending work, here

and is answered with any number of {"kind": "progress", "message"} and one {"kind": "ready", ...} that says what was
loaded. Then any number of

    {"kind": "read", "id", "file", "layers", "sequences": [{"token_ids", "positions"}]}

may be sent, each answered with {"kind": "states", "id", "file"} once the safetensors file is whole: `states`, float32
[all positions in order, layers, D], and `token_ids`, the token at each of them. Layer 0 is what enters the first
block, layer l what leaves block l, always before the final norm.

What goes wrong is {"kind": "error", "id", "code", "message"}; id is null before "ready". The process ends when standard
input does, so that it does not outlive whoever started it, however that ended.
"""

import json
import os
import queue
import sys
import threading

# Tokens that one pass takes, padding included: bounds the memory of the attention and of the blocks' activations.
MAX_TOKENS_PER_PASS = int(os.environ.get("SEP_NNSIGHT_TOKENS_PER_PASS", "4096"))

# Before anything is imported that might print: the protocol's lines get a descriptor of their own.
PROTOCOL = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
os.dup2(2, 1)


class Failure(Exception):
    """A failure that is known, with the code that its reader knows it by."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def say(message):
    PROTOCOL.write(json.dumps(message) + "\n")
    PROTOCOL.flush()


def read_requests(requests):
    for line in sys.stdin:
        if line.strip():
            requests.put(json.loads(line))
    # nobody is left to read an answer; a pass that is under way is of no use either
    os._exit(0)


def first_line(error):
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)


def explain(error):
    """The code of an error, and what it says."""
    if isinstance(error, Failure):
        return error.code, str(error)
    if isinstance(error, ImportError):  # of a package that only some models or devices need
        return "nnsight-missing", f"{first_line(error)} ({sys.executable})"
    name, text = type(error).__name__, str(error)
    if isinstance(error, MemoryError) or name == "OutOfMemoryError" or "out of memory" in text.lower():
        return "out-of-memory", first_line(error)
    if "not enough memory" in text.lower() or "can't allocate memory" in text.lower():
        return "out-of-memory", first_line(error)
    # nnsight raises what a block raised as a type of its own, with the traceback for a text
    last = next((line for line in reversed(text.splitlines()) if line.strip()), "")
    return "failed", f"{name}: {last or first_line(error)}"


def import_packages():
    try:
        import nnsight
        import safetensors.torch
        import torch
        import transformers
    except ImportError as error:
        raise Failure("nnsight-missing", f"{error} ({sys.executable}, Python {sys.version.split()[0]})") from error
    major, minor = (int(part) for part in nnsight.__version__.split(".")[:2])
    if (major, minor) < (0, 5):
        raise Failure("nnsight-missing", f"nnsight {nnsight.__version__}, expected 0.5 or newer ({sys.executable})")
    transformers.utils.logging.disable_progress_bar()
    return nnsight, safetensors.torch, torch, transformers


def choose_device(torch, name):
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        built = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built without CUDA"
        raise Failure("no-device", f"PyTorch {torch.__version__}, {built}, finds no CUDA device")
    if name == "mps" and not torch.backends.mps.is_available():
        raise Failure("no-device", f"PyTorch {torch.__version__} finds no Metal device")
    try:
        torch.empty(1, device=name)
    except Exception as error:
        raise Failure("no-device", f"device {name}: {first_line(error)}") from error
    return name


def choose_dtype(torch, name):
    dtype = "auto" if name == "auto" else getattr(torch, name, None)
    if dtype != "auto" and not (isinstance(dtype, torch.dtype) and dtype.is_floating_point):
        raise Failure("bad-option", f"dtype {name} is no floating-point type of PyTorch")
    return dtype


class Model:
    """A model under nnsight, and where its blocks are."""

    def __init__(self, packages, request):
        self.nnsight, _, self.torch, self.transformers = packages
        self.remote = request["remote"]
        self.device = "remote" if self.remote is True else choose_device(self.torch, request["device"])
        dtype = choose_dtype(self.torch, request["dtype"])
        self.wrapper = self.load(request, dtype)
        self.module = self.wrapper._module if hasattr(self.wrapper, "_module") else self.wrapper._model
        config = self.module.config
        if getattr(config, "is_encoder_decoder", False):
            raise Failure("bad-model", f"{type(self.module).__name__} has an encoder and a decoder")
        self.config = config.get_text_config() if hasattr(config, "get_text_config") else config
        self.path, self.blocks = self.find_blocks()

    def load(self, request, dtype):
        reference, revision = request["model"], request["revision"]
        # 0.8 calls LanguageModel by the name of what it wraps
        wrap = getattr(self.nnsight, "TransformersModel", None)
        options = {} if revision is None else {"revision": revision}
        if wrap is not None:
            options["task"] = "text-generation"
        else:
            wrap = self.nnsight.LanguageModel
        if self.remote is True:
            # without weights, the pipeline behind it finds no tokenizer by itself
            options["tokenizer"] = self.transformers.AutoTokenizer.from_pretrained(request["folder"])
            return wrap(reference, **options)
        major = int(self.transformers.__version__.split(".")[0])
        options["dtype" if major >= 5 else "torch_dtype"] = dtype
        return wrap(reference, device_map=self.device, dispatch=True, **options)

    def find_blocks(self):
        """The list of the decoder's blocks, whatever it is called: model.layers, transformer.h, gpt_neox.layers."""
        decoder = self.module.get_decoder() if hasattr(self.module, "get_decoder") else None
        decoder = self.module if decoder is None else decoder
        within = {id(part) for part in decoder.modules()}
        for name, part in self.module.named_modules():
            if isinstance(part, self.torch.nn.ModuleList) and len(part) == self.config.num_hidden_layers:
                if id(part) in within:
                    envoy = self.wrapper
                    for step in name.split("."):
                        envoy = getattr(envoy, step)
                    return name, envoy
        raise Failure("bad-model", f"{type(self.module).__name__} has no list of {self.config.num_hidden_layers} blocks")

    def describe(self):
        embeddings = self.module.get_input_embeddings()
        parameter = next(self.module.parameters())
        return {
            "kind": "ready",
            "block_count": self.config.num_hidden_layers,
            "hidden_size": self.config.hidden_size,
            "vocabulary_size": self.config.vocab_size,
            "architecture": type(self.module).__name__,
            "blocks": self.path,
            "embeddings": embeddings.weight.shape[0],
            "device": self.device,
            "dtype": str(parameter.dtype).removeprefix("torch."),
            "versions": {
                "python": sys.version.split()[0],
                "nnsight": self.nnsight.__version__,
                "torch": self.torch.__version__,
                "transformers": self.transformers.__version__,
            },
        }

    def read(self, sequences, layers):
        """[positions, layers, D] of each sequence, float32 on the CPU."""
        states = [None] * len(sequences)
        for batch in batches(sequences):
            rows, places = [], []
            for row, index in enumerate(batch):
                rows += [row] * len(sequences[index]["positions"])
                places += sequences[index]["positions"]
            values = self.run([sequences[index]["token_ids"] for index in batch], layers, rows, places)
            begin = 0
            for index in batch:
                end = begin + len(sequences[index]["positions"])
                states[index] = values[begin:end]
                begin = end
        return self.torch.cat(states)

    def run(self, token_ids, layers, rows, places):
        torch, nnsight, blocks = self.torch, self.nnsight, self.blocks
        width = max(len(ids) for ids in token_ids)
        # Padding stands behind the tokens: no token of a causal model sees it, and no position shifts.
        padded = torch.tensor([ids + [ids[-1]] * (width - len(ids)) for ids in token_ids])
        inputs = {"input_ids": padded, "attention_mask": torch.ones_like(padded)}
        rows, places = torch.tensor(rows), torch.tensor(places)
        options = {"use_cache": False}
        if self.remote:
            options["remote"] = self.remote
        with torch.no_grad():
            with self.wrapper.trace(inputs, **options) as tracer:
                read = []
                for layer in layers:
                    # layer 0 is what enters the first block: GPT-2 has added positions by then, Gemma has scaled
                    value = blocks[0].input if layer == 0 else blocks[layer - 1].output
                    if isinstance(value, tuple):  # blocks of transformers before 5, and of some models' own code
                        value = value[0]
                    read.append(value[rows.to(value.device), places.to(value.device)].float().cpu())
                states = nnsight.save(torch.stack(read, 1))
                tracer.stop()  # the head over the whole vocabulary is not needed
        return states


def batches(sequences):
    """Indices of sequences that run side by side: of like length, so that little is padded."""
    order = sorted(range(len(sequences)), key=lambda index: len(sequences[index]["token_ids"]))
    current = []
    for index in order:
        if current and (len(current) + 1) * len(sequences[index]["token_ids"]) > MAX_TOKENS_PER_PASS:
            yield current
            current = []
        current.append(index)
    if current:
        yield current


def answer(model, save_file, request):
    torch = model.torch
    states = model.read(request["sequences"], request["layers"])
    tokens = [each["token_ids"][place] for each in request["sequences"] for place in each["positions"]]
    # whole before it has its name
    partial = request["file"] + ".partial"
    save_file({"states": states.contiguous(), "token_ids": torch.tensor(tokens, dtype=torch.int64)}, partial)
    os.replace(partial, request["file"])
    say({"kind": "states", "id": request["id"], "file": request["file"]})


def main():
    requests = queue.Queue()
    threading.Thread(target=read_requests, args=(requests,), daemon=True).start()
    current = None
    try:
        opening = requests.get()
        say({"kind": "progress", "message": "importing nnsight"})
        packages = import_packages()
        say({"kind": "progress", "message": f"loading {opening['model']} under nnsight {packages[0].__version__}"})
        model = Model(packages, opening)
        say(model.describe())
    except Exception as error:  # noqa: BLE001 - said to whoever started this
        code, message = explain(error)
        say({"kind": "error", "id": None, "code": code, "message": message})
        return
    while True:
        request = requests.get()
        current = request["id"]
        try:
            answer(model, packages[1].save_file, request)
        except Exception as error:  # noqa: BLE001 - said to whoever asked
            code, message = explain(error)
            say({"kind": "error", "id": current, "code": code, "message": message})


if __name__ == "__main__":
    main()
