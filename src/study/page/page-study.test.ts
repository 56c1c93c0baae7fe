import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { finishStep } from "../../../test/fakes/finish-step.ts";
import { PLAIN_SAMPLER } from "../../../test/fakes/plain-sampler.ts";
import { writeStudy } from "../../../test/fakes/write-study.ts";
import { drain } from "../../net/map-concurrently.ts";
import { findDecision } from "../../probes/assess-risk.ts";
import type { GenerationConfig } from "../../probes/probe.ts";
import { loadProbe, saveProbe } from "../probe-files.ts";
import { buildDatasets } from "../steps/build-datasets.ts";
import { trainProbes } from "../steps/train-probes.ts";
import type { Workspace } from "../workspace.ts";
import { gatherPageStudy } from "./page-study.ts";

const ASKING: GenerationConfig = {
  prompt_format: "chat",
  system_prompt: null,
  enable_thinking: null,
  sampler: PLAIN_SAMPLER,
};

describe("gatherPageStudy", () => {
  let workspace: Workspace;
  beforeAll(async () => {
    workspace = await writeStudy(await mkdtemp(join(tmpdir(), "sep-page-")), {
      questions: 80,
      width: 8,
      blocks: 2,
    });
    await finishStep(buildDatasets(workspace));
    await finishStep(trainProbes(workspace, { positions: "dataset", permutations: 0 }));
  });
  afterAll(async () => {
    await rm(workspace.root, { recursive: true });
  });
  const ask = async (asking: GenerationConfig | null): Promise<void> => {
    const { accuracyProbe: path } = workspace;
    await saveProbe(path, { ...(await loadProbe(path)), asking });
  };

  it("refuses a study that does not say how its answers were generated, or in a way that the page cannot", async () => {
    const refusal = { code: "bad-option", message: expect.stringContaining("does not record a prompt") };
    await ask(null);
    await expect(drain(gatherPageStudy(workspace))).rejects.toMatchObject(refusal);
    await ask({ ...ASKING, prompt_format: "sha256:few-shot" });
    await expect(drain(gatherPageStudy(workspace))).rejects.toMatchObject(refusal);
  });

  it("has the probes of all layers at the probe's place, its promises, and its questions", async () => {
    await ask(ASKING);
    const { study, probe, layers } = await drain(gatherPageStudy(workspace));
    // layer 0 is the same in every row there
    expect(layers.map(({ layer }) => layer)).toEqual([1, 2]);
    for (const each of layers) {
      expect(each).toMatchObject({ position: probe.position, target: "incorrect", source: probe.source });
      expect(each.calibration_map?.method).toBe("platt");
    }
    const same = layers.find(({ layer }) => layer === probe.layer);
    // the study's fit began at that of another penalty
    for (const [at, weight] of probe.coefficients.entries())
      expect(same?.coefficients[at]).toBeCloseTo(weight, 6);
    const decision = findDecision(probe, "coverage")?.threshold;
    const point = study.curve.find(({ threshold }) => threshold === decision?.threshold);
    expect(point?.coverage).toBeGreaterThanOrEqual(decision?.target ?? 1);
    expect(study.calibrationQuestions).toBe(decision?.calibration_questions);
    expect(new Set(study.examples).size).toBe(4);
    expect(study.model).toBe("fake-model");
  });
});
