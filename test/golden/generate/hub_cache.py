"""The Hugging Face cache as Python writes it, and a check that neither side downloads what the other has.

Starts this repository's fake hub and lets both sides use it, each with an empty cache of its own:
  Python downloads -> `sep` finds the models without the hub, and loads one; pulling again downloads nothing
  `sep` downloads  -> Python finds the models without the hub, and loads them; downloading again downloads nothing
Writes test/golden/hub-cache.json: every entry of Python's cache after the same download that `sep` does.
Run from the repository root after `npm run build`: python test/golden/generate/hub_cache.py [NODE]
NODE (22.18 or newer) runs the fake hub's TypeScript; `node` of the PATH runs `sep`.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

GOLDEN = Path(__file__).parent.parent
SEP = Path("dist/cli/main.js").resolve()
PLAIN_MODEL = "tiny/plain"  # fixed contents, for the golden; the others are checkpoints that load
SNAPSHOT_MODEL, SPLIT_MODEL, SHARDED_MODEL = CHECKPOINTS = "tiny/qwen3-tied", "tiny/qwen3-untied-bf16", "tiny/llama-tied-f16-sharded"
# what `sep` takes of a repository
WANTED = ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
          "added_tokens.json", "chat_template.jinja", "chat_template.json", "model*.safetensors", "model.safetensors.index.json"]


class FakeHub:
    """The fake hub as a process, and the requests it gets."""

    def __init__(self, node: str) -> None:
        self.process = subprocess.Popen([node, "test/fakes/serve-fake-hub.ts"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        first = json.loads(self.process.stdout.readline())
        self.endpoint, self.models, self.requests = first["endpoint"], first["models"], []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.requests.append(json.loads(line))

    def downloads(self) -> list[str]:
        """Bodies of files that were asked for since the last call."""
        taken, self.requests = self.requests, []
        return [r["path"] for r in taken if r["method"] == "GET" and (r["server"] == "cdn" or "/resolve-cache/" in r["path"])]

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(timeout=10)


def sep(cache: Path, *args: str, offline: bool) -> str:
    env = {**os.environ, "HF_HUB_CACHE": str(cache), "HF_HUB_OFFLINE": "1" if offline else "0"}
    run = subprocess.run(["node", str(SEP), *args], env=env, capture_output=True, text=True)
    assert run.returncode == 0, f"sep {args}: {run.stderr}"
    return run.stdout


def describe(cache: Path) -> list[dict]:
    """Every file and link of a cache; contents where they are not blobs."""
    entries = []
    for path in sorted(cache.rglob("*")):
        entry = {"path": path.relative_to(cache).as_posix()}
        if path.is_symlink():
            entries.append({**entry, "link": os.readlink(path)})
        elif path.is_file() and path.parent.name == "blobs":
            entries.append({**entry, "size": path.stat().st_size})
        elif path.is_file():
            entries.append({**entry, "text": path.read_text()})
    return entries


def shared_part(entries: list[dict]) -> list[dict]:
    """What both sides must write alike: contents, snapshots, refs."""
    return [e for e in entries if e["path"].split("/")[1:2] in (["blobs"], ["snapshots"], ["refs"])]


def generate_with_sep(cache: Path, folder: Path, *, offline: bool) -> None:
    """Loads the model and draws an answer."""
    sep(cache, "prepare", "--limit", "1", "--ood", "none", "--out", str(folder), offline=offline)
    sep(cache, "generate", "--set", "math", "--model", SNAPSHOT_MODEL, "--runs", "1", "--max-new-tokens", "4",
        "--prompt-format", "notebook", "--out", str(folder), offline=offline)


def main() -> None:
    hub = FakeHub(sys.argv[1] if len(sys.argv) > 1 else "node")
    work = Path(tempfile.mkdtemp(prefix="hub-cache-"))
    os.environ.update(HF_ENDPOINT=hub.endpoint, HF_HOME=str(work / "home"), HF_HUB_DISABLE_TELEMETRY="1",
                      HF_HUB_DISABLE_UPDATE_CHECK="1", HF_HUB_DISABLE_XET="1", HF_HUB_DISABLE_PROGRESS_BARS="1")
    # after the environment, which these read when they are imported
    import huggingface_hub
    import transformers
    from huggingface_hub import hf_hub_download, scan_cache_dir, snapshot_download, try_to_load_from_cache
    from huggingface_hub.file_download import _CACHED_NO_EXIST
    from transformers import AutoModelForCausalLM, AutoTokenizer

    def load(repo: str, cache: Path, local: bool) -> None:
        AutoModelForCausalLM.from_pretrained(repo, cache_dir=cache, local_files_only=local)
        AutoTokenizer.from_pretrained(repo, cache_dir=cache, local_files_only=local)

    try:
        # Python downloads: two models file by file, two as transformers loads them
        python_cache = work / "python"
        for repo in (PLAIN_MODEL, SNAPSHOT_MODEL):
            snapshot_download(repo, cache_dir=python_cache, allow_patterns=WANTED)
        for repo in (SPLIT_MODEL, SHARDED_MODEL):
            load(repo, python_cache, local=False)
        python_layout = describe(python_cache)
        assert len(hub.downloads()) > 10
        for repo, commit in hub.models.items():
            info = json.loads(sep(python_cache, "models", "info", repo, "--json", offline=True))
            assert info["commit"] == commit and (info["obstacle"] is None) == (repo != PLAIN_MODEL), info
        listed = json.loads(sep(python_cache, "models", "list", "--json", offline=True))["models"]
        assert sorted(m["repo"] for m in listed) == sorted(hub.models), listed
        generate_with_sep(python_cache, work / "study-offline", offline=True)
        assert hub.requests == [], hub.requests
        generate_with_sep(python_cache, work / "study-online", offline=False)
        print("requests of `sep generate` on Python's cache, online:", [r["path"] for r in hub.requests])
        hub.requests = []
        for repo in hub.models:
            sep(python_cache, "models", "pull", repo, "--quiet", offline=False)
        print("downloads of `sep models pull` on Python's cache:", hub.downloads())

        # sep downloads
        sep_cache = work / "sep"
        for repo in hub.models:
            sep(sep_cache, "models", "pull", repo, "--quiet", offline=False)
        sep_layout = describe(sep_cache)
        assert len(hub.downloads()) > 10
        for repo, commit in hub.models.items():
            folder = Path(snapshot_download(repo, cache_dir=sep_cache, local_files_only=True))
            assert folder == (sep_cache / f"models--{repo.replace('/', '--')}" / "snapshots" / commit).resolve(), folder
            if repo in CHECKPOINTS:
                load(repo, sep_cache, local=True)
            assert try_to_load_from_cache(repo, "added_tokens.json", cache_dir=sep_cache) is _CACHED_NO_EXIST
        scan = scan_cache_dir(sep_cache)
        assert scan.warnings == [] and len(scan.repos) == 4 and not scan.incomplete_files, scan
        assert hub.requests == [], hub.requests
        for repo in CHECKPOINTS:
            load(repo, sep_cache, local=False)
        print("downloads of transformers on sep's cache, online:", hub.downloads())
        for path in (sep_cache / "models--tiny--qwen3-tied" / "snapshots").glob("*/*"):
            hf_hub_download(SNAPSHOT_MODEL, path.name, cache_dir=sep_cache)
        snapshot_download(SNAPSHOT_MODEL, cache_dir=sep_cache, allow_patterns=WANTED)
        assert hub.downloads() == []

        # the same download gives the same entries
        for repo in (PLAIN_MODEL, SNAPSHOT_MODEL):
            folder = f"models--{repo.replace('/', '--')}"
            ours, theirs = ([e for e in shared_part(layout) if folder in e["path"]] for layout in (sep_layout, python_layout))
            assert ours == theirs and len(ours) > 8, (ours, theirs)
        entries = [e for e in python_layout if "tiny--plain" in e["path"] or "/" not in e["path"]]
        versions = {"huggingface_hub": huggingface_hub.__version__, "transformers": transformers.__version__}
        golden = {"versions": versions, "repo": PLAIN_MODEL, "commit": hub.models[PLAIN_MODEL], "entries": entries}
        (GOLDEN / "hub-cache.json").write_text(json.dumps(golden, indent=1) + "\n")
        print("all agree", versions)
    finally:
        hub.close()
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
