import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { makeFamiliarity, makeProbe } from "../../test/fakes/make-probe.ts";
import type { Probe } from "../probes/probe.ts";
import { loadProbe, readProbeFile, saveProbe, weightsPathOf } from "./probe-files.ts";

const probe: Probe = makeProbe();

describe("probe files", () => {
  let path: string;
  beforeEach(async () => {
    path = join(await mkdtemp(join(tmpdir(), "sep-probe-")), "accuracy_probe.json");
  });

  it("come back as they were saved", async () => {
    await saveProbe(path, probe);
    expect(await loadProbe(path)).toEqual(probe);
    const knowing = makeProbe({ familiarity: makeFamiliarity(2) });
    await saveProbe(path, knowing);
    expect(await loadProbe(path)).toEqual(knowing);
    const { familiarity } = JSON.parse(await readFile(path, "utf8"));
    expect(familiarity).toEqual({
      level: 0.05,
      residual_variance: 0.25,
      shrinkage: 0.125,
      training_questions: 12,
      validation_questions: 3,
    });
  });

  it("say why a probe could not be trained", async () => {
    const warnings = [{ code: "one-class", message: "All labels are 0." }];
    await saveProbe(path, { kind: "untrained", target: "incorrect", warnings });
    expect(await readProbeFile(path)).toEqual({ kind: "untrained", target: "incorrect", warnings });
    await expect(loadProbe(path)).rejects.toThrow(/could not be trained: All labels are 0/);
  });

  it("refuse weights that are not theirs, other JSON and a missing file", async () => {
    await saveProbe(path, probe);
    const bytes = await readFile(weightsPathOf(path));
    bytes[bytes.length - 1]! ^= 1;
    await writeFile(weightsPathOf(path), bytes);
    await expect(loadProbe(path)).rejects.toMatchObject({ code: "bad-artefact" });
    await writeFile(path, '{"format": "x", "version": 1}');
    await expect(loadProbe(path)).rejects.toThrow(/format "x"/);
    await writeFile(path, "{");
    await expect(loadProbe(path)).rejects.toThrow(/not valid JSON/);
    await expect(loadProbe(`${path}.none`)).rejects.toMatchObject({ code: "missing-input" });
  });
});
