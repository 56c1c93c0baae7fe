import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { finishStep } from "../../../test/fakes/finish-step.ts";
import { PLAIN_SAMPLER } from "../../../test/fakes/plain-sampler.ts";
import type { ModelDtype } from "../../engine/runtime/device.ts";
import type { AnswerBackend } from "../../samples/answer-backend.ts";
import { writeJsonl } from "../../store/jsonl.ts";
import { readManifest } from "../../store/manifest.ts";
import { manifestPathOf } from "../../store/output-ownership.ts";
import { resolveSettings } from "../settings/setting.ts";
import { STUDY } from "../settings/study.ts";
import { mergeShards } from "../shards/merge-shards.ts";
import type { StepEvent, StepResult } from "../step.ts";
import { generateRuns } from "../steps/generate-runs.ts";
import { type DataSetName, openShard, openWorkspace, type Workspace } from "../workspace.ts";
import type { DtypeChoice } from "./choose-dtype.ts";
import { openSampling } from "./open-sampling.ts";

const CHECKPOINT = fileURLToPath(new URL("../../../test/golden/checkpoints/qwen3-tied", import.meta.url));
/** The tiny model counts as large, and int8 is always near enough. */
const RULE = { bound: 1, fromBytes: 0 };
const PROMPT = { promptFormat: "notebook", systemPrompt: undefined, enableThinking: undefined } as const;
const questionsOf = (name: string, count: number) =>
  Array.from({ length: count }, (_, i) => ({
    id: `${name}${i}`,
    question: `What is ${name} ${i} + ${i}?`,
    answer: `${2 * i}`,
  }));

let folder: string;
let study: Workspace;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sep-sampling-"));
  vi.stubEnv("SEP_CACHE", join(folder, "cache"));
  study = openWorkspace(join(folder, "study"));
  await writeJsonl(study.raw("math"), questionsOf("m", 8));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

describe("openSampling with dtype auto", () => {
  it("records in the manifest how the dtype was chosen, and is then up to date", async () => {
    const first = await sample(study);
    const { settings, grounds } = await manifestOf(study);
    expect(first.choice).toMatchObject({ dtype: "int8", reason: "divergence", prompts: 8, bound: 1 });
    expect(settings.model).toMatchObject({ dtype: "int8" });
    expect(grounds).toEqual({ dtype: first.choice });
    const again = await sample(study);
    expect(again).toMatchObject({ status: "up-to-date", choice: first.choice, measured: [] });
  });

  it("goes on with the dtype of a run that was stopped, without measuring", async () => {
    const { choice } = await sample(study, { stopAfter: 3 });
    await rm(join(folder, "cache"), { recursive: true });
    const rest = await sample(study, { rule: { ...RULE, bound: 0 } });
    expect(rest).toMatchObject({ dtype: "int8", choice, measured: [] });
    expect((await manifestOf(study)).grounds).toEqual({ dtype: choice });
  });

  it("extends answers in the dtype that they have, even where the user had named it", async () => {
    await sample(study, { dtype: "int4" });
    expect((await manifestOf(study)).grounds).toBeUndefined();
    const more = await sample(study, { runs: 3 });
    expect(more).toMatchObject({ dtype: "int4", choice: null, measured: [], status: "ran" });
  });

  it("decides again when the answers are replaced", async () => {
    await sample(study, { dtype: "int4" });
    expect(await sample(study, { force: true })).toMatchObject({ dtype: "int8", status: "ran" });
  });

  it("has one dtype for both sets, measured on the first one's prompts", async () => {
    await writeJsonl(study.raw("ood"), questionsOf("o", 5));
    const ood = await sample(study, { set: "ood" });
    expect(ood.choice).toMatchObject({ prompts: 8 });
    const math = await sample(study, { rule: { ...RULE, bound: 0 } });
    expect(math).toMatchObject({ dtype: "int8", choice: ood.choice, measured: [] });
  });

  it("measures the prompts that are to come rather than those of an earlier question file", async () => {
    const { choice } = await sample(study, { pending: 6 });
    expect(choice).toMatchObject({ prompts: 6 });
  });

  it("agrees in all shards, which measure the study's prompts and not their own", async () => {
    const { choice } = await sample(study);
    for (const index of [1, 2, 3]) {
      // as on machines that share no cache and no folder
      await rm(join(folder, "cache"), { recursive: true });
      const root = join(folder, `machine-${index}`);
      await writeJsonl(openWorkspace(root).raw("math"), questionsOf("m", 8));
      const shard = await sample(openShard(root, { index, count: 3 }));
      expect(shard.measured, `shard ${index}`).toEqual(["float32", "int8"]);
      expect(shard.choice, `shard ${index}`).toEqual(choice);
    }
  });

  it("takes in a shard what the other shards have, where it can see them, and keeps the record in the merge", async () => {
    const [first, second] = [1, 2].map((index) => openShard(study.root, { index, count: 2 }));
    const { choice } = await sample(first as Workspace);
    const other = await sample(second as Workspace, { rule: { ...RULE, bound: 0 } });
    expect(other).toMatchObject({ dtype: "int8", choice, measured: [] });
    await drain(mergeShards(study.root));
    expect(await manifestOf(study)).toMatchObject({
      settings: { model: { dtype: "int8" } },
      grounds: { dtype: choice },
    });
  });
});

interface SampleOptions {
  readonly set?: DataSetName;
  readonly dtype?: ModelDtype;
  readonly runs?: number;
  readonly force?: boolean;
  readonly rule?: typeof RULE;
  /** Questions after which the run is stopped. */
  readonly stopAfter?: number;
  /** Questions that an earlier step will write. */
  readonly pending?: number;
}

interface Sampled {
  readonly dtype: unknown;
  readonly choice: DtypeChoice | null;
  /** dtypes that were measured */
  readonly measured: readonly string[];
  readonly status: StepResult["status"] | "stopped";
}

/** Opens what `sep generate` would, and samples with it. */
async function sample(
  workspace: Workspace,
  { set = "math", dtype, runs = 2, force = false, rule = RULE, stopAfter, pending }: SampleOptions = {},
): Promise<Sampled> {
  const settings = resolveSettings(STUDY, { model: CHECKPOINT, threads: 1, dtype });
  const opening = openSampling(settings, {
    ...{ workspace, sets: [set], force, prompt: PROMPT, limit: undefined, rule },
    ...(pending === undefined
      ? {}
      : { pendingQuestions: async (of) => (of === "math" ? questionsOf("p", pending) : undefined) }),
  });
  const measured: string[] = [];
  for (;;) {
    const next = await opening.next();
    if (!next.done) {
      if (next.value.kind === "started") measured.push(next.value.part.replace(/^.* /, ""));
      continue;
    }
    const { backend, dtypeChoice: choice } = next.value;
    await using _backend = backend;
    const answers = backend.answers as AnswerBackend;
    const step = generateRuns(workspace, set, {
      ...{ model: answers, dtypeChoice: choice, ...PROMPT, runs, force, seed: 1 },
      sampler: { ...PLAIN_SAMPLER, maxNewTokens: 4 },
    });
    const { dtype: used } = answers.identity as { readonly dtype: unknown };
    const status =
      stopAfter === undefined ? (await finishStep(step)).result.status : await stop(step, stopAfter);
    return { dtype: used, choice, measured, status };
  }
}

async function stop(step: AsyncGenerator<StepEvent, StepResult>, questions: number): Promise<"stopped"> {
  for await (const event of step) if (event.kind === "advanced" && event.done === questions) break;
  return "stopped";
}

async function drain(events: AsyncGenerator<unknown, unknown>): Promise<void> {
  for await (const _ of events);
}

const manifestOf = async (workspace: Workspace) => {
  const manifest = await readManifest(manifestPathOf(workspace.runs("math")));
  if (manifest === null) throw new Error("there is no manifest");
  return manifest;
};
