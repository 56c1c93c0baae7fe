import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createFakeCli } from "../../../test/fakes/cli-context.ts";
import { hashed } from "../../../test/fakes/hashed.ts";
import { makeProbe } from "../../../test/fakes/make-probe.ts";
import { loadModel } from "../../checkpoint/load-model.ts";
import { saveProbe } from "../../study/probe-files.ts";
import { runCli } from "../run-cli.ts";

let root: string;
let probe: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "sep-score-"));
  probe = join(root, "probe.json");
  await using model = await loadModel("pocket", { threads: 1 });
  const width = model.config.hiddenSize;
  const { weights_sha256, tokenizer_sha256 } = model.provenance;
  await saveProbe(
    probe,
    makeProbe({
      position: "before-generation",
      width,
      source: { model: "pocket", weights_sha256, tokenizer_sha256, norm_state: "residual" },
      mean: new Float32Array(width),
      scale: new Float32Array(width).fill(10),
      coefficients: Float32Array.from({ length: width }, (_, j) => hashed(j, 3) - 0.5),
      decisions: [
        {
          kind: "risk",
          target: 0.1,
          threshold: {
            kind: "risk",
            target: 0.1,
            threshold: 1,
            guarantee: "Kept.",
            calibration_questions: 9,
          },
          reason: null,
        },
      ],
    }),
  );
});
afterAll(() => rm(root, { recursive: true }));

async function score(
  args: readonly string[],
  stdin: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
) {
  const pieces = stdin.map((text) => Buffer.from(text));
  const cli = createFakeCli({
    env,
    stdin: (async function* () {
      yield* pieces;
    })(),
  });
  const code = await runCli(["score", "--probe", probe, "--threads", "1", ...args], cli.context);
  return { code, stdout: cli.stdout(), stderr: cli.stderr() };
}

test("one question, for people and for scripts", async () => {
  const { code, stdout, stderr } = await score(["What", "is 2 + 3?"]);
  expect(code).toBe(0);
  expect(stdout).toMatch(
    /^Answer +\\boxed\{5\}\nRisk +0\.\d+: of 100 such answers about \d+ are\s+wrong\s+\(score\s+0\.\d{3}, read\s+at/,
  );
  expect(stdout).toMatch(/Decision +answer\n +Kept\.\n$/);
  expect(stderr).toContain("does not record how its model was prompted");
  const json = await score(["What is 2 + 3?", "--json"]);
  expect(JSON.parse(json.stdout)).toMatchObject({
    kind: "score",
    question: "What is 2 + 3?",
    answer: "\\boxed{5}",
    decision: "answer",
    risk_of: "incorrect",
  });
  expect(json.stderr).toBe("");
});

test("a stream, in order, with an error for each line that cannot be used", async () => {
  const lines = [
    '{"id": 7, "question": "What is 2 + 3?"}',
    "nonsense",
    "",
    '{"id": "x", "question": " "}',
    `{"id": "long", "question": "${"1 + ".repeat(5000)}1"}`,
    '{"question": "What is 1\u2028+ 1?"}',
    '{"id": "given", "question": "What is 2 + 3?", "answer": "It is 5."}',
    '{"id": "typo", "question": "What is 2 + 3?", "anwser": "5"}',
    '{"id": ["a"], "question": "What is 2 + 3?"}',
    '{"id": "number", "question": "What is 2 + 3?", "answer": 5}',
  ].join("\n");
  const { code, stdout, stderr } = await score(["--stdin"], [lines.slice(0, 17), lines.slice(17)]);
  const answers = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(answers.map(({ id, line, error }) => [id, line, error?.code])).toEqual([
    [7, undefined, undefined],
    [null, 2, "bad-question-file"],
    ["x", 4, "bad-question-file"],
    ["long", 5, "prompt-too-long"],
    [null, undefined, undefined],
    ["given", undefined, undefined],
    ["typo", 8, "bad-question-file"],
    [null, 9, "bad-question-file"],
    ["number", 10, "bad-question-file"],
  ]);
  expect(answers[5]).toMatchObject({ answer: "It is 5.", is_given: true, generated_tokens: 0 });
  expect(answers[6].error.message).toContain('unknown key "anwser", expected id, question, answer');
  expect(answers[7].error.message).toContain('"id" is neither text nor a number');
  expect(answers[0]).toMatchObject({ answer: "\\boxed{5}", decision: "answer" });
  expect(answers[4].question).toBe("What is 1\u2028+ 1?");
  expect(code).toBe(1);
  expect(stderr).toContain("6 of 9 lines could not be answered");
});

test("a stream whose lines come one by one is answered one by one", async () => {
  const cli = createFakeCli({ stdin: asking() });
  async function* asking() {
    for (let i = 1; i <= 3; i++) {
      yield new TextEncoder().encode(`{"id": ${i}, "question": "What is ${i} + 3?"}\n`);
      while (cli.stdout().split("\n").length <= i) await new Promise((later) => setImmediate(later));
    }
  }
  expect(await runCli(["score", "--stdin", "--probe", probe, "--threads", "1"], cli.context)).toBe(0);
  const alone = await score(["--stdin"], ['{"id": 2, "question": "What is 2 + 3?"}\n']);
  expect(`${cli.stdout().split("\n")[1]}\n`).toBe(alone.stdout);
});

test.each([
  [[], /a QUESTION or --stdin, got neither/, 2],
  [["x", "--stdin"], /got both/, 2],
  [["x", "--prompt-format", "few-shot"], /without --shots/, 2],
  [["x", "--shots", "general"], /Got --shots, expected/, 2],
  [["x", "--unfamiliar", "refuse"], /the probe cannot tell which ones are/, 2],
])("%j is refused", async (args, message, expected) => {
  const { code, stderr } = await score(args);
  expect(stderr).toMatch(message);
  expect(code).toBe(expected);
});

test("another model is refused before it is asked anything", async () => {
  const tiny = new URL("../../../test/golden/checkpoints/qwen3-tied", import.meta.url).pathname;
  const { code, stdout, stderr } = await score(["x", "--model", tiny]);
  expect(code).toBe(1);
  expect(stdout).toBe("");
  expect(stderr).toMatch(/probe-mismatch/);
});

test("a stream's errors hold no key, and its answers are what they are", async () => {
  const key = "nulx9-abcdefghij-0123456"; // almost null: the error quotes both sides of where it is not
  const lines = [`{"question": ${key}}\n`, `{"id": "token=${key}", "question": "What is 1 + 1?"}\n`];
  const { stdout } = await score(["--stdin"], lines, { OPENAI_API_KEY: key });
  const [failed, answered] = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(failed.error.message).toContain("[redacted]");
  expect(failed.error.message).not.toContain(key.slice(0, 8));
  expect(answered.id).toBe(`token=${key}`); // the caller's own, and how it finds its answer
});
