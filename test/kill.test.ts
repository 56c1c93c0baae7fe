import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const SEP = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
const STUDY = ["run", "--limit", "24", "--runs", "4", "--max-new-tokens", "60"];

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "sep-kill-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

describe("sep run", () => {
  it("killed again and again, wherever it is, ends with the bytes of an undisturbed run", {
    tags: ["long"],
  }, async () => {
    const undisturbed = join(root, "undisturbed");
    const startedMs = performance.now();
    expect((await start(["--out", undisturbed]).done).code).toBe(0);
    const durationMs = performance.now() - startedMs;
    const expected = await hashFiles(undisturbed);
    expect(Object.keys(expected)).toContain(join("artifacts", "models", "probe_eval.json"));

    const disturbed = join(root, "disturbed");
    let kills = 0;
    // each life is a little longer than the one before, so that the kills fall all over the run
    for (let lifeMs = durationMs / 12; ; lifeMs *= 1.25) {
      const run = start(["--out", disturbed]);
      const outlived = await Promise.race([run.done, delay(lifeMs).then(() => null)]);
      if (outlived !== null) {
        expect(outlived.stderr).not.toMatch(/Error/);
        expect(outlived.code).toBe(0);
        break;
      }
      run.child.kill("SIGKILL");
      await run.done;
      kills += 1;
    }
    expect(kills).toBeGreaterThan(3);
    expect(await hashFiles(disturbed)).toEqual(expected);
  });

  it("refuses a folder that another run is writing, and says which process", { tags: ["long"] }, async () => {
    const out = join(root, "shared");
    const first = start(["--out", out]);
    await waitForLock(out);
    const second = await start(["--out", out]).done;
    expect(second.code).toBe(1);
    expect(second.stderr).toContain(`process ${first.child.pid}`);
    expect((await first.done).code).toBe(0);
  });

  it("stops at Ctrl-C with exit code 130 and goes on later", async () => {
    const out = join(root, "interrupted");
    const small = ["--limit", "12", "--ood", "none"];
    const run = start([...small, "--out", out]);
    await waitForLock(out);
    run.child.kill("SIGINT");
    const stopped = await run.done;
    expect(stopped.code).toBe(130);
    expect((await start([...small, "--out", out]).done).code).toBe(0);
    const undisturbed = join(root, "small");
    expect((await start([...small, "--out", undisturbed]).done).code).toBe(0);
    expect(await hashFiles(out)).toEqual(await hashFiles(undisturbed));
  });
});

interface Finished {
  readonly code: number | null;
  readonly stderr: string;
}

function start(options: readonly string[]): {
  readonly child: ChildProcess;
  readonly done: Promise<Finished>;
} {
  const child = spawn(process.execPath, [SEP, ...STUDY, ...options], { stdio: ["ignore", "ignore", "pipe"] });
  let stderr = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const done = new Promise<Finished>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stderr }));
  });
  return { child, done };
}

/** Waits until a run holds the lock of the sampling step. */
async function waitForLock(out: string): Promise<void> {
  for (let tries = 0; tries < 2000; tries++) {
    const names: readonly string[] = await readdir(join(out, "data")).catch(() => []);
    if (names.includes("math_runs.jsonl.lock")) return;
    await delay(10);
  }
  expect.fail("the run never took its lock");
}

/**
 * SHA-256 of every file of a study, by its path: nothing is missing and nothing is left over. `config.yaml` says when a run
 * was, and differs with each.
 */
async function hashFiles(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const hashes: Record<string, string> = {};
  for (const entry of entries.filter((item) => item.isFile() && item.name !== "config.yaml")) {
    const path = join(entry.parentPath, entry.name);
    hashes[relative(folder, path)] = createHash("sha256")
      .update(await readFile(path))
      .digest("hex");
  }
  return hashes;
}
