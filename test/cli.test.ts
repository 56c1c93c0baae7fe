import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

/** The command as it is installed; the tests' set-up has built it. */
const SEP = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "sep-cli-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** @param onOutput called each time there is more on stdout */
function sep(
  args: readonly string[],
  onOutput: (child: ReturnType<typeof spawn>) => void = () => undefined,
): Promise<Ended> {
  const child = spawn(process.execPath, [SEP, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => {
    stdout += chunk;
    onOutput(child);
  });
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk;
  });
  return new Promise((settle, reject) => {
    child.once("error", reject);
    child.once("close", (code) => settle({ code, stdout, stderr }));
  });
}

describe("the installed command", () => {
  it("ends with 0, 1 or 2", async () => {
    expect(await sep(["--version"])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^semantic-entropy-probes \d+\.\d+\.\d+, Node /),
    });
    expect((await sep(["eval", "--out", join(root, "empty")])).code).toBe(1);
    expect((await sep(["eval", "--ouch"])).code).toBe(2);
  });

  it("says so when it waits for a promise that can never settle", async () => {
    const [backend, out] = [join(root, "waits.mjs"), join(root, "waits")];
    await writeFile(backend, "export default async function* () { await new Promise(() => {}); }");
    expect(await sep(["prepare", "--limit", "2", "--ood", "none", "--out", out])).toMatchObject({ code: 0 });
    expect(await sep(["generate", "--backend", backend, "--out", out])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("a promise that can never settle"),
    });
  });

  it("runs a small study, prints its table, and has nothing to do the second time", async () => {
    const args = [
      "run",
      "--limit",
      "20",
      "--runs",
      "3",
      "--max-new-tokens",
      "80",
      "--out",
      join(root, "study"),
    ];
    const first = await sep(args);
    expect(first.stderr).toContain("generate math: 20/20 questions (100%)");
    expect(first.code).toBe(0);
    expect(first.stdout).toMatch(/^math_test {2}test: \d+ answers to \d+ questions/m);
    expect(first.stdout).toMatch(/^ {2}SE probe +(\d\.\d{3}|none) /m);
    expect(first.stdout).toMatch(/^Report {2}.*report\.html$/m);
    const second = await sep([...args, "--json"]);
    expect(second.code).toBe(0);
    const last = JSON.parse(second.stdout.trimEnd().split("\n").at(-1) as string) as {
      kind: string;
      results: { step: string; status: string }[];
    };
    expect(last.kind).toBe("result");
    expect(last.results.map(({ step }) => step)).toEqual([
      ...["prepare", "prepare", "generate", "generate", "entropy", "entropy", "trace", "trace"],
      ...["dataset", "train", "eval", "report"],
    ]);
    expect(last.results.filter(({ status }) => status !== "up-to-date")).toEqual([]);
  });

  it("uses a question file that was put in its place by hand", async () => {
    const out = join(root, "own");
    await sep(["prepare", "--limit", "4", "--out", out]);
    await rm(join(out, "data", "math_raw.jsonl.manifest.json"));
    const { stdout } = await sep([
      "run",
      "--limit",
      "2",
      "--runs",
      "2",
      "--ood",
      "none",
      "--out",
      out,
      "--json",
    ]);
    expect(stdout).toMatch(/"kind":"note","step":"prepare","part":"math","message":"using .*as it is"/);
    expect(stdout).toContain('"step":"generate","part":"math","unit":"question","done":0,"total":2');
  });

  it("stops quietly when nobody reads its output any more", { tags: ["long"] }, async () => {
    const out = join(root, "pipe");
    await sep(["prepare", "--out", out]);
    const { code, stderr } = await sep(["generate", "--json", "--out", out], (child) =>
      child.stdout?.destroy(),
    );
    expect(code).toBe(141);
    expect(stderr).not.toMatch(/EPIPE|Stopped/);
  });
});
