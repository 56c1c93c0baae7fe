import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { manifestPathOf } from "../store/output-ownership.ts";
import { openChain, requireCurrent } from "./chain.ts";
import type { StepPlan } from "./decide-step.ts";
import { runStep, type StepControl, type StepEvent, type StepOutcome, type StepResult } from "./step.ts";
import { openWorkspace, type StepName, type Workspace } from "./workspace.ts";

let root: string;
let study: Workspace;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "sep-chain-"));
  study = openWorkspace(join(root, "study"));
  await makeStudy();
});
afterEach(() => rm(root, { recursive: true, force: true }));

/** Each file says which step made it of what, so that another input makes another file. */
async function make(
  step: StepName,
  inputs: readonly string[],
  outputs: readonly string[],
  setting = "a",
  control: StepControl & { readonly during?: () => Promise<void>; readonly in?: Workspace } = {},
): Promise<StepResult> {
  const running = runStep(
    control.in ?? study,
    { step, part: "", inputs, outputs, settings: { setting }, whenStale: "redo" },
    control,
    async function* (): AsyncGenerator<StepEvent, StepOutcome> {
      const read = await Promise.all(inputs.map((path) => readFile(path, "utf8")));
      await control.during?.();
      for (const [i, path] of outputs.entries()) {
        await mkdir(dirname(path), { recursive: true });
        await writeFile(path, `${step} ${setting} ${i} of (${read.join(", ")})`);
      }
      yield { kind: "note", step, part: "", message: setting };
      return { counts: {}, warnings: [] };
    },
  );
  for (;;) {
    const next = await running.next();
    if (next.done) return next.value;
  }
}

const raw = () => study.raw("math");
const runs = () => study.runs("math");
const entropy = () => study.semanticEntropy("math");
const states = () => study.hiddenStates("math");
const index = () => study.hiddenStatesIndex("math");
const dataset = () => study.probeDataset("math_train");

const prepare = (setting?: string) => make("prepare", [], [raw()], setting);
const generate = (setting?: string) => make("generate", [raw()], [runs()], setting);
const measure = () => make("entropy", [runs()], [entropy()]);
const trace = () => make("trace", [runs()], [states(), index()]);
const build = (control?: Parameters<typeof make>[4]) =>
  make("dataset", [runs(), entropy(), states(), index()], [dataset()], "a", control);
const train = () => make("train", [dataset()], [study.accuracyProbe]);

async function makeStudy(): Promise<void> {
  for (const step of [prepare, generate, measure, trace, build, train]) await step();
}

const stateOf = async (path: string): Promise<string> => (await openChain().inspect(path)).state;

describe("a step", () => {
  it("runs again and again while nothing changes", async () => {
    for (const step of [prepare, generate, measure, trace, build, train])
      expect((await step()).status).toBe("up-to-date");
  });

  it("refuses states of old answers beside labels of new ones, and names the step to run again", async () => {
    await generate("b");
    await measure();
    await expect(build()).rejects.toMatchObject({
      code: "stale-input",
      message: expect.stringMatching(
        /artifacts\/math_hidden_states\.safetensors is stale: data\/math_runs\.jsonl has changed since `sep trace` read it\. Run `sep trace` again/,
      ),
    });
    await trace();
    expect((await build()).status).toBe("ran");
  });

  it("looks along the whole chain, and names the steps in their order", async () => {
    await prepare("b");
    await expect(make("eval", [study.accuracyProbe, dataset()], [study.probeEval])).rejects.toThrow(
      /data\/math_runs\.jsonl is stale: .* Run `sep generate`, `sep entropy`, `sep trace`, `sep dataset` and then `sep train` again/,
    );
  });

  it("is not misled by an input that was made anew with the same bytes", async () => {
    await make("generate", [raw()], [runs()], "a", { force: true });
    expect((await build()).status).toBe("up-to-date");
  });

  it("refuses a file that was edited, unless its manifest is taken away", async () => {
    await appendFile(entropy(), " by hand");
    await expect(build()).rejects.toThrow(
      /data\/math_semantic_entropy\.jsonl is edited: .*To use .* delete .*math_semantic_entropy\.jsonl\.manifest\.json/,
    );
    await rm(manifestPathOf(entropy()));
    expect((await build()).status).toBe("ran");
    expect(await stateOf(entropy())).toBe("given");
  });

  it("takes edited questions for their user's own, and what was made of them for stale", async () => {
    await appendFile(raw(), " by hand");
    expect(await stateOf(raw())).toBe("given");
    expect(await stateOf(runs())).toBe("stale");
  });

  it("refuses what a killed step left behind", async () => {
    const killed = make("trace", [runs()], [states(), index()], "b", {
      during: async () => {
        await writeFile(states(), "half");
        throw new Error("killed");
      },
    });
    await expect(killed).rejects.toThrow("killed");
    await expect(build()).rejects.toThrow(
      /is unfinished: `sep trace`, which was stopped or is still running/,
    );
    await trace();
    expect((await build()).status).toBe("up-to-date");
  });

  it("keeps using the outputs of a step that was killed before it replaced them", async () => {
    const during = () => Promise.reject(new Error("killed"));
    await expect(make("trace", [runs()], [states(), index()], "b", { during })).rejects.toThrow("killed");
    expect((await build()).status).toBe("up-to-date");
  });

  it("refuses files that were made of two versions of one that is gone", async () => {
    await generate("b");
    await measure();
    await rm(runs());
    await expect(make("eval", [entropy(), states()], [study.probeEval])).rejects.toThrow(
      /were made from different versions of data\/math_runs\.jsonl, which no longer exists/,
    );
  });

  it("goes on without files that it does not need, such as in a study that was handed over in part", async () => {
    await rm(join(study.root, "data"), { recursive: true });
    expect((await train()).status).toBe("up-to-date");
  });

  it("refuses inputs that are replaced while it reads", async () => {
    const during = () => appendFile(entropy(), " meanwhile");
    await expect(build({ force: true, during })).rejects.toThrow(
      /data\/math_semantic_entropy\.jsonl changed while `sep dataset` was reading/,
    );
    expect(await stateOf(dataset())).not.toBe("current");
  });

  it("follows chains into other studies", async () => {
    const other = openWorkspace(join(root, "other"));
    const compare = () =>
      make("transfer", [dataset()], [other.transfer], "a", { in: other }).then(({ status }) => status);
    expect(await compare()).toBe("ran");
    await generate("b");
    await expect(compare()).rejects.toThrow(/data\/math_runs\.jsonl has changed since `sep trace` read it/);
  });
});

it("refuses before it makes a lock or a folder", async () => {
  await generate("b");
  await rm(join(study.root, "artifacts", "models"), { recursive: true });
  const before = await listFiles();
  await expect(train()).rejects.toThrow(/stale/);
  expect(await listFiles()).toEqual(before);
});

it("plans a step without writing", async () => {
  await generate("b");
  const plan: StepPlan = { steps: [] };
  const before = await listFiles();
  await make("entropy", [runs()], [entropy()], "a", { plan });
  // the chain is not held against files that the plan is to write
  await make("dataset", [runs(), entropy()], [dataset()], "a", { plan });
  await make("prepare", [], [raw()], "a", { plan });
  expect(plan.steps.map(({ step, action }) => `${step} ${action}`)).toEqual([
    "entropy redo",
    "dataset redo",
    "prepare keep",
  ]);
  expect(plan.steps[0]?.reasons).toEqual(["data/math_runs.jsonl has changed"]);
  expect(await listFiles()).toEqual(before);
});

it("survives manifests that go in a circle", async () => {
  const path = manifestPathOf(raw());
  const manifest = JSON.parse(await readFile(path, "utf8")) as { inputs: Record<string, string> };
  manifest.inputs = { "data/math_runs.jsonl": await openChain().fingerprint(runs()) };
  await writeFile(path, JSON.stringify(manifest));
  await expect(requireCurrent([dataset()], "train")).resolves.toBeUndefined();
});

const listFiles = async (): Promise<string[]> => (await readdir(root, { recursive: true })).sort();
