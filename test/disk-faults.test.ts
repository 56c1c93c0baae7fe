import { execFileSync, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmod,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  statfs,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eachSampled } from "./each-sampled.ts";

const SEP = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
const GENERATE = ["--runs", "3", "--max-new-tokens", "60", "--memory", "1"];
/** Each step, and what it takes besides its folder. */
const STEPS: readonly (readonly [name: string, options: readonly string[]])[] = [
  ["prepare", ["--limit", "16", "--ood", "none"]],
  ["generate", GENERATE],
  ["entropy", []],
  ["trace", ["--layers", "1"]],
  ["dataset", []],
  ["train", ["--permutations", "0"]],
  ["eval", []],
  ["report", []],
];

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "sep-disk-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

const states: Promise<string>[] = [];
/** The folder of a study before a step, or, after the last one, when all is done; made when it is first asked for. */
const stateBefore = (at: number): Promise<string> => (states[at] ??= makeState(at));

async function makeState(at: number): Promise<string> {
  const state = join(root, `before-${at}`);
  const step = STEPS[at - 1];
  if (step === undefined) {
    await mkdir(state);
    return state;
  }
  await cp(await stateBefore(at - 1), state, { recursive: true });
  const [name, options] = step;
  expect(await sep([name, ...options, "--out", state])).toMatchObject({ code: 0 });
  return state;
}

// a file system of a few pages, which takes the right to mount one
const mountable = canMount();
describe.skipIf(!mountable)(`a full disk${mountable ? "" : " (skipped: no right to mount a tmpfs)"}`, () => {
  eachSampled(STEPS.map(([name], at) => [name, at] as const))(
    "in sep %s is said as such, and afterwards the step goes on",
    async (name, at) => {
      const command = [name, ...(STEPS[at] as (typeof STEPS)[number])[1], "--out"];
      const [before, after] = [await stateBefore(at), await stateBefore(at + 1)];
      const expected = await hashFiles(after);
      const outputPages = (await countPages(after)) - (await countPages(before));
      let refusals = 0;
      // from step to step: at the lock, the marker of a running step, the journal's settings, the first rows; and among
      // the outputs
      for (const pages of new Set([at % 4, Math.floor(outputPages / 2)])) {
        await using disk = await mountSmallDisk(before, pages);
        const full = await sep([...command, disk.folder]);
        if (full.code === 0) continue; // it replaced files, and all found room
        expect(full).toMatchObject({
          code: 3,
          stderr: expect.stringMatching(/disk is full.*Free some space.*\[disk-full; see/),
        });
        expect(full.stderr).toContain(disk.folder);
        expect(full.stderr).not.toMatch(/Stopped|node:internal|\.tmp/);
        refusals += 1;
        disk.grow();
        const resumed = await sep([...command, disk.folder]);
        expect(resumed).toMatchObject({ code: 0 });
        expect(await hashFiles(disk.folder)).toEqual(expected);
      }
      expect(refusals).toBeGreaterThan(0);
    },
    240_000,
  );
});

describe("what a file system refuses", () => {
  it.each([
    ["below a file", async () => join(await touch("a-file"), "study"), 6, "not-a-folder"],
    ["that is a file", () => touch("another-file"), 6, "not-a-folder"],
    ["that the kernel keeps for itself", async () => "/proc/sep-study", 4, "permission-denied"],
  ])("an --out %s ends at once", async (_what, makePath, code, name) => {
    const path = await makePath();
    const ended = await sep(["prepare", "--limit", "3", "--out", path]);
    expect(ended).toMatchObject({ code, stderr: expect.stringContaining(`[${name}; see`) });
    expect(ended.stderr).toContain(path);
  });

  it("an output that is a folder", async () => {
    const out = join(root, "folder-output");
    await mkdir(join(out, "data", "math_raw.jsonl"), { recursive: true });
    const ended = await sep(["prepare", "--limit", "3", "--out", out, "--force"]);
    expect(ended).toMatchObject({ code: 5, stderr: expect.stringContaining("[is-a-folder; see") });
    expect(ended.stderr).toContain("math_raw.jsonl is a folder");
  });

  it("a lock that is a link to nowhere", { tags: ["long"] }, async () => {
    const out = join(root, "dangling");
    await mkdir(join(out, "data"), { recursive: true });
    await symlink("nowhere", join(out, "data", "math_raw.jsonl.lock"));
    const ended = await sep(["prepare", "--limit", "3", "--out", out]);
    expect(ended).toMatchObject({ code: 1, stderr: expect.stringContaining("[output-locked; see") });
  });

  it("a folder that cannot be written", async () => {
    const out = join(root, "read-only");
    await mkdir(out);
    await chmod(out, 0o500);
    if (process.getuid?.() === 0) {
      // root may write everywhere but on a read-only file system
      if (!mountable) return;
      execFileSync("mount", ["-t", "tmpfs", "-o", "ro", "tmpfs", out]);
    }
    try {
      const ended = await sep(["prepare", "--limit", "3", "--out", join(out, "study")]);
      expect(ended).toMatchObject({ code: 4, stderr: expect.stringContaining("[permission-denied; see") });
      expect(ended.stderr).toContain(join(out, "study"));
    } finally {
      if (process.getuid?.() === 0) execFileSync("umount", [out]);
    }
  });

  eachSampled<[number]>([[24], [64], [144]])("too many open files, of a limit of %d", async (limit) => {
    const script = `ulimit -n ${limit}; exec "$0" "$@"`;
    const ended = await run("sh", [
      "-c",
      script,
      process.execPath,
      SEP,
      "prepare",
      "--out",
      join(root, "many"),
    ]);
    expect(ended).toMatchObject({ code: 7, stderr: expect.stringContaining("[too-many-open-files; see") });
    expect(ended.stderr).not.toContain("node:internal");
  });
});

describe("an output that nobody reads any more", () => {
  it("ends sep score --stdin in silence, even where it waits for its next question", async () => {
    const probe = fileURLToPath(new URL("../models/pocket/probes/accuracy_probe.json", import.meta.url));
    const questions = Array.from({ length: 4 }, (_, i) => `{"question": "What is ${i} + 2?"}`).join("\n");
    const input = join(root, "questions.jsonl");
    await writeFile(input, `${questions}\n`);
    const script = `set -o pipefail; { cat "$1"; sleep 3; cat "$1"; sleep 60; } | { "$2" "$3" score --quiet --probe "$4" --stdin; echo "status $?" >&2; kill 0; } | head -n 1`;
    const ended = await run("setsid", ["bash", "-c", script, "-", input, process.execPath, SEP, probe]);
    expect(ended.stderr).toBe("status 141\n");
    expect(ended.stdout.split("\n")).toHaveLength(2);
  });

  it("ends sep run in silence", { tags: ["long"] }, async () => {
    const script = `"$1" "$2" run --limit 8 --runs 2 --json --quiet --out "$3" | head -n 1 > "$4"; echo "\${PIPESTATUS[0]}"`;
    const names = [process.execPath, SEP, join(root, "piped"), join(root, "head")];
    const ended = await run("bash", ["-c", script, "-", ...names]);
    expect(ended).toMatchObject({ code: 0, stdout: "141\n", stderr: "" });
  });

  it.skipIf(process.platform !== "linux")("is not a full disk behind >", { tags: ["long"] }, async () => {
    const script = '"$1" "$2" doctor --json > /dev/full';
    const ended = await run("bash", ["-c", script, "-", process.execPath, SEP]);
    expect(ended).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("stdout cannot be written (ENOSPC)"),
    });
    expect(ended.stderr).not.toContain("node:internal");
  });
});

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const sep = (args: readonly string[]): Promise<Ended> => run(process.execPath, [SEP, ...args]);

function run(program: string, args: readonly string[]): Promise<Ended> {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stdout, stderr }));
  });
}

const PAGE_BYTES = 4096;

/** A disk with a study on it and room for some pages more. */
async function mountSmallDisk(
  study: string,
  freePages: number,
): Promise<{ readonly folder: string; grow(): void } & AsyncDisposable> {
  const folder = await mkdtemp(join(root, "disk-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=64m", "tmpfs", folder]);
  await cp(study, folder, { recursive: true });
  const { blocks, bavail } = await statfs(folder);
  shrink(folder, blocks - bavail + freePages);
  return {
    folder,
    grow: () => void execFileSync("mount", ["-o", "remount,size=64m", folder]),
    async [Symbol.asyncDispose]() {
      execFileSync("umount", [folder]);
      await rm(folder, { recursive: true });
    },
  };
}

/** What is in use is counted for each core by itself, and the sum may be some pages off: below it no disk can be made. */
function shrink(folder: string, pages: number, slack = 0): void {
  const size = Math.max(1, pages + slack) * PAGE_BYTES;
  const { status, stderr } = spawnSync("mount", ["-o", `remount,size=${size}`, folder]);
  if (status === 0) return;
  if (slack === MOST_SLACK) throw new Error(`no disk of ${size} bytes: ${stderr}`);
  shrink(folder, pages, slack + 1);
}

const MOST_SLACK = 64;

function canMount(): boolean {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return false;
  const folder = tmpdir();
  try {
    // in a namespace of its own, which ends with the command
    execFileSync("unshare", ["-m", "mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], {
      stdio: "ignore",
    });
    return true;
  } catch {
    return false;
  }
}

async function touch(name: string): Promise<string> {
  const path = join(root, name);
  await writeFile(path, "");
  return path;
}

async function listFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

async function countPages(folder: string): Promise<number> {
  let pages = 0;
  for (const path of await listFiles(folder)) pages += Math.ceil((await stat(path)).size / PAGE_BYTES);
  return pages;
}

/** Of every file but `config.yaml`, which says when a run was. */
async function hashFiles(folder: string): Promise<Record<string, string>> {
  const hashes: Record<string, string> = {};
  for (const path of (await listFiles(folder)).filter((path) => !path.endsWith("config.yaml")))
    hashes[relative(folder, path)] = createHash("sha256")
      .update(await readFile(path))
      .digest("hex");
  return hashes;
}
