import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { runCli } from "../src/cli/run-cli.ts";
import { writeJsonl } from "../src/store/jsonl.ts";
import { readManifest } from "../src/store/manifest.ts";
import { manifestPathOf } from "../src/store/output-ownership.ts";
import { createNliEntailer } from "../src/study/meaning/encoder-models.ts";
import { openWorkspace } from "../src/study/workspace.ts";
import { createFakeCli } from "./fakes/cli-context.ts";
import { makeRun } from "./fakes/make-run.ts";
import golden from "./golden/nli-tiny.json" with { type: "json" };

/** A whole NLI model that has learnt three questions by heart; see `golden/generate/tiny_nli.py`. */
const MODEL = fileURLToPath(new URL("golden/nli/tiny", import.meta.url));

let root: string;
let cache: string;
beforeAll(async () => {
  cache = await mkdtemp(join(tmpdir(), "sep-cache-"));
  vi.stubEnv("SEP_CACHE", cache);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await rm(cache, { recursive: true });
});
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "sep-nli-"));
  const workspace = openWorkspace(root);
  const answers = {
    france: ["Paris", "It is Paris", "Lyon", "The capital is Paris", "paris."],
    warm: ["mild", "warm", "hot"],
    hamlet: ["William Shakespeare", "Shakespeare", "Marlowe"],
  };
  const questions = {
    france: "What is the capital of France?",
    warm: "How warm is it?",
    hamlet: "Who wrote Hamlet?",
  };
  await writeJsonl(
    workspace.runs("math"),
    Object.entries(answers).flatMap(([question_id, own]) =>
      own.map((answer, run_id) =>
        makeRun({ question_id, run_id, extracted_answer: answer, correctness: "contains" }),
      ),
    ),
  );
  await writeJsonl(
    workspace.raw("math"),
    Object.entries(questions).map(([id, question]) => ({ id, question, answer: "x" })),
  );
  return () => rm(root, { recursive: true });
});

interface Line {
  readonly question_id: string;
  readonly clusters: readonly { readonly member_run_ids: readonly number[] }[];
  readonly pair_rules: unknown;
}

async function sep(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const cli = createFakeCli({ columns: 80, env: { HF_HUB_OFFLINE: "1", HF_HOME: join(cache, "hf") } });
  const code = await runCli([...args, "--out", root], cli.context);
  return { code, stdout: cli.stdout(), stderr: cli.stderr() };
}

async function groups(): Promise<{ [question: string]: readonly (readonly number[])[] }> {
  const records = await readRecords();
  return Object.fromEntries(
    records.map((each) => [each.question_id, each.clusters.map((cluster) => cluster.member_run_ids)]),
  );
}

const readRecords = async (): Promise<Line[]> =>
  (await readFile(openWorkspace(root).semanticEntropy("math"), "utf8"))
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

test("the model's probabilities are those of transformers, each label at its name", async () => {
  await using entailer = await createNliEntailer(MODEL, { threads: 1 });
  const verdicts = await entailer.classify(
    golden.pairs.map(({ premise, hypothesis }) => [premise, hypothesis]),
  );
  for (const [i, { entailment, neutral, contradiction }] of verdicts.entries()) {
    const expected = golden.pairs[i]!;
    // float32 sums in another order, through a softmax
    expect(Math.abs(entailment - expected.entailment)).toBeLessThan(1e-5);
    expect(Math.abs(neutral - expected.neutral)).toBeLessThan(1e-5);
    expect(Math.abs(contradiction - expected.contradiction)).toBeLessThan(1e-5);
  }
});

describe("sep entropy with a model of inference", () => {
  test("auto asks it about open answers, and keeps its verdicts on disk", async () => {
    const { code, stderr } = await sep("entropy", "--nli-model", MODEL, "--threads", "1");
    expect(stderr).not.toContain("error");
    expect(code).toBe(0);
    expect(await groups()).toEqual({
      france: [[0, 1, 3, 4], [2]],
      warm: [[0, 1], [2]], // hot is like warm, and is held against mild
      hamlet: [[0], [1], [2]], // strict: the full name follows from the short one in no way
    });
    expect((await readRecords())[0]?.pair_rules).toEqual({ exact: 1, nli: 9 });
    expect(stderr).toContain("In 1 of them, the number of clusters depends on the order of the samples");

    const files = await readdir(join(cache, "nli-verdicts"));
    expect(files.length).toBe(1);
    const before = await readFile(join(cache, "nli-verdicts", files[0]!), "utf8");
    await sep("entropy", "--nli-model", MODEL, "--threads", "1", "--force");
    expect(await readFile(join(cache, "nli-verdicts", files[0]!), "utf8")).toBe(before);
  });

  test("eight bits give the same clusters, and verdicts of their own", async () => {
    const { code } = await sep("entropy", "--nli-model", MODEL, "--threads", "1", "--force");
    expect(code).toBe(0);
    const inFloat = await groups();
    const kept = (await readdir(join(cache, "nli-verdicts"))).length;
    const { stderr } = await sep("entropy", "--nli-model", MODEL, "--nli-dtype", "int8", "--threads", "1");
    expect(stderr).not.toContain("error");
    expect(await groups()).toEqual(inFloat);
    expect((await readdir(join(cache, "nli-verdicts"))).length).toBe(kept + 1);
    const manifest = await readManifest(manifestPathOf(openWorkspace(root).semanticEntropy("math")));
    expect(JSON.stringify(manifest?.settings)).toContain('"dtype":"int8"');
  });

  test.each([
    [
      ["--nli-rule", "lenient"],
      [[0, 1], [2]],
      [[0, 1], [2]],
    ],
    [
      ["--nli-rule", "threshold", "--nli-threshold", "0.99"],
      [[0], [1], [2]],
      [[0], [1], [2]],
    ],
    [["--clustering", "components"], [[0, 1, 2]], [[0], [1], [2]]],
  ])("%j", async (options, warm, hamlet) => {
    const { code } = await sep("entropy", "--equivalence", "nli", "--nli-model", MODEL, ...options);
    expect(code).toBe(0);
    expect(await groups()).toMatchObject({ warm, hamlet });
  });

  test("sep clusters shows what it saw, in both directions", async () => {
    await sep("entropy", "--nli-model", MODEL);
    const { stdout } = await sep("clusters", "hamlet");
    expect(stdout).toContain(
      [
        "P(row entails column) in %",
        "       1   2   3",
        "   1      97   2",
        "   2   2       2",
        "   3   2   2",
      ].join("\n"),
    );
  });

  test("without the model, offline, it is an error that names the ways out", async () => {
    const { code, stderr } = await sep("entropy");
    expect(code).toBe(1);
    expect(stderr).toContain("[model-not-cached; see docs/errors.md]");
    expect(stderr).toContain("sep models pull cross-encoder/nli-deberta-v3-small");
    expect(stderr).toContain("--equivalence exact");
    expect((await sep("entropy", "--equivalence", "exact")).code).toBe(0);
  });
});
