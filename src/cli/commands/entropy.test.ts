import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createFakeCli } from "../../../test/fakes/cli-context.ts";
import { writeStudy } from "../../../test/fakes/write-study.ts";
import { ESTIMATES } from "../../entropy/measures/estimate-registry.ts";
import { runCli } from "../run-cli.ts";

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sep-cli-entropy-"));
  file = join(folder, "poll.jsonl");
  await writeFile(file, '{"question":"2 + 2?","answers":["4","4.0","5"],"logprobs":[[-1],[-1,-1],[-2]]}\n');
});
afterEach(() => rm(folder, { recursive: true }));

async function run(...args: readonly string[]) {
  const cli = createFakeCli();
  const code = await runCli(["entropy", ...args, "--out", folder], cli.context);
  return { code, stdout: cli.stdout(), stderr: cli.stderr() };
}

const readRow = async (path: string): Promise<Record<string, unknown>> =>
  JSON.parse((await readFile(path, "utf8")).trimEnd());

test("--runs scores a file, says what it is, and --to says where to", async () => {
  const { code, stdout, stderr } = await run("--runs", file);
  expect(code).toBe(0);
  expect(stderr).toContain(
    `entropy poll: ${file} contains questions with their answers, one per line; answers are compared by "math"`,
  );
  expect(stdout).toMatch(/^entropy poll: wrote .*data\/poll_semantic_entropy\.jsonl$/m);
  const row = await readRow(join(folder, "data", "poll_semantic_entropy.jsonl"));
  expect(row).toMatchObject({
    question_id: "q-0001",
    cluster_count: 2,
    semantic_entropy: expect.any(Number),
  });
  expect((await run("--runs", file, "--to", join(folder, "x.jsonl"))).code).toBe(0);
  expect(await readRow(join(folder, "x.jsonl"))).toEqual(row);
});

test("--estimates all has them all and shows what each takes; --estimates of a few has those", async () => {
  const { stderr } = await run("--runs", file, "--estimates", "all");
  for (const { name } of ESTIMATES) expect(stderr).toMatch(new RegExp(`^${name} +[01] of 1 `, "m"));
  expect(stderr).toMatch(/^luq +0 of 1 +0\.0 ms +6 +an NLI model's verdicts on all pairs of answers, in 1$/m);
  const few = await run("--runs", file, "--estimates", "minority_share, eigv_jaccard", "--json");
  const events = few.stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  const { costs } = events.find(({ kind }) => kind === "estimates");
  expect(costs.map(({ name }: { name: string }) => name)).toEqual([
    "discrete_semantic_entropy",
    "semantic_entropy",
    "minority_share",
    "eigv_jaccard",
  ]);
  expect(await run("--runs", file, "--quiet", "--force")).toMatchObject({ code: 0, stdout: "" });
});

test("the study's own runs take the same options", async () => {
  await writeStudy(folder, { questions: 4, samples: 3, withOod: false });
  const { code, stderr } = await run("--estimates", "luq", "--se-mode", "kuhn", "--force");
  expect(code).toBe(0);
  expect(stderr).toContain("[mode-without-nli]");
  expect(stderr).toMatch(
    /luq: null for 4 of 4 questions, which lack an NLI model's verdicts .*\[estimate-missing\]/,
  );
});

test.each([
  [
    ["--estimates", "nonsense"],
    "Got the unknown uncertainty measure nonsense, expected some of discrete_semantic_entropy, ",
  ],
  [["--estimates", ","], "Got --estimates ,, expected all, default, or names separated by commas."],
  [["--se-mode", "oxford"], "Got --se-mode oxford, expected nature, oatml, kuhn or notebook."],
  [
    ["--to", "x.jsonl"],
    "Got --to without --runs, expected both: --to is the output file for the scores of --runs.",
  ],
  [["--runs", "x", "--set", "math"], "Got --runs with --set, which applies only to a study's own runs."],
  [
    ["--runs", "x", "--clusters", "y"],
    "Got --runs with --clusters, which applies only to a study's own runs.",
  ],
])("%j is wrong usage", async (args, message) => {
  const { code, stderr } = await run(...args);
  expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(message) });
});

test("a file that is no samples is an error that says what to do", async () => {
  await writeFile(file, Uint8Array.of(0x80, 4));
  const { code, stderr } = await run("--runs", file);
  expect(code).toBe(1);
  expect(stderr).toContain("is a Python pickle, which only Python can read. Convert it to JSON: python -c");
  expect(stderr).toContain("[unknown-runs-format; see docs/errors.md]");
});
