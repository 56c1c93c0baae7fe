import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createFakeCli, type FakeCli } from "../../../test/fakes/cli-context.ts";
import { makeRun } from "../../../test/fakes/make-run.ts";
import { writeJsonl } from "../../store/jsonl.ts";
import { computeEntropy } from "../../study/entropy/compute-entropy.ts";
import { openWorkspace } from "../../study/workspace.ts";
import { runCli } from "../run-cli.ts";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "sep-clusters-"));
  const workspace = openWorkspace(root);
  const answers = ["4", "4.0", "cannot say", null];
  await writeJsonl(
    workspace.runs("math"),
    answers.map((answer, run_id) => makeRun({ question_id: "q1", run_id, extracted_answer: answer })),
  );
  await writeJsonl(workspace.raw("math"), [{ id: "q1", question: "What is 2 + 2?", answer: "4" }]);
});
afterAll(() => rm(root, { recursive: true }));

async function clusters(...args: string[]): Promise<FakeCli & { readonly code: number }> {
  const cli = createFakeCli();
  return { ...cli, code: await runCli(["clusters", ...args, "--out", root], cli.context) };
}

test("without a stored grouping it says what to do, unless it can group by itself", async () => {
  const { code, stderr } = await clusters("q1");
  expect(code).toBe(1);
  expect(stderr()).toContain("Run `sep entropy`");
  const { stdout } = await clusters("q1", "--equivalence", "exact");
  expect(stdout()).toContain("computed: exact, greedy: 4 groups of 4 samples");
});

test("the stored grouping, alone and beside another one, for people and for scripts", async () => {
  for await (const _event of computeEntropy(openWorkspace(root), "math"));
  const { code, stdout } = await clusters("q1");
  expect(code).toBe(0);
  expect(stdout()).toContain("math q1: What is 2 + 2?");
  expect(stdout()).toContain("stored: math, greedy: 3 groups of 4 samples");
  expect(stdout()).not.toContain("computed");

  const both = await clusters("q1", "--equivalence", "exact", "--clustering", "components", "--json");
  const { questions } = JSON.parse(both.stdout());
  expect(questions).toMatchObject([
    {
      set: "math",
      questionId: "q1",
      views: [
        {
          source: "stored",
          equivalence: "math",
          clusterIds: [0, 0, 1, 2],
          pairs: [
            { pair: [0, 1], same: true, rule: "math" },
            { pair: [0, 2], rule: "exact" },
            { pair: [1, 2] },
          ],
        },
        { source: "computed", equivalence: "exact", clustering: "components", clusterIds: [0, 1, 2, 3] },
      ],
    },
  ]);
});

test("a question that is not there is named, with the one that was meant", async () => {
  const { code, stderr } = await clusters("q11");
  expect(code).toBe(2);
  expect(stderr()).toContain('Got the question "q11"');
  expect(stderr()).toContain("Did you mean q1?");
});
