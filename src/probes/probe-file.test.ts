import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { makeProbe } from "../../test/fakes/make-probe.ts";
import { type Probe, requireProbeFits, scoreProbe } from "./probe.ts";
import { loadProbe, readProbeFile, saveProbe, weightsPathOf } from "./probe-file.ts";

const probe: Probe = makeProbe();

describe("probe files", () => {
  let path: string;
  beforeEach(async () => {
    path = join(await mkdtemp(join(tmpdir(), "sep-probe-")), "accuracy_probe.json");
  });

  it("come back as they were saved", async () => {
    await saveProbe(path, probe);
    expect(await loadProbe(path)).toEqual(probe);
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

describe("scoreProbe", () => {
  it("is the logistic of the standardised features", () => {
    // ((3 - 1) / 2) * 0.25 + ((1 - 2) / 0.5) * -1.5 - 0.5 = 2.75; at the mean only the intercept is left
    const [first, second] = scoreProbe(probe, Float32Array.of(3, 1, 1, 2));
    expect(first).toBeCloseTo(1 / (1 + Math.exp(-2.75)), 15);
    expect(second).toBeCloseTo(1 / (1 + Math.exp(0.5)), 15);
  });

  it("refuses another width or another model", () => {
    expect(() => scoreProbe(probe, new Float32Array(3))).toThrow(/width 2, got 3 numbers/);
    const fits = { width: 2, source: { model: "m", norm_state: "residual" } };
    expect(() => requireProbeFits(probe, fits)).not.toThrow();
    expect(() => requireProbeFits(probe, { ...fits, width: 3 })).toThrow(/expects width 2, trace has 3/);
    expect(() => requireProbeFits(probe, { ...fits, source: { model: "other" } })).toThrow(/"m".*"other"/);
    expect(() => requireProbeFits(probe, { ...fits, source: { norm_state: "final" } })).toThrow(/norm_state/);
    const hashed = { ...probe, source: { model: "m", weights_sha256: "1" } };
    const renamed = { model: "copy of m", weights_sha256: "1" };
    expect(() => requireProbeFits(hashed, { ...fits, source: renamed })).not.toThrow();
    const retrained = { model: "m", weights_sha256: "2" };
    expect(() => requireProbeFits(hashed, { ...fits, source: retrained })).toThrow(/weights_sha256 "1".*"2"/);
    const worded = { ...probe, source: { tokenizer_sha256: "1" } };
    expect(() => requireProbeFits(worded, { ...fits, source: { tokenizer_sha256: "2" } })).toThrow(
      /tokenizer_sha256 "1".*"2"/,
    );
    expect(() => requireProbeFits(probe, { ...fits, position: "think-end", layer: 2 })).not.toThrow();
    expect(() => requireProbeFits(probe, { ...fits, position: "last-token" })).toThrow(
      /position "think-end".*"last-token"/,
    );
    expect(() => requireProbeFits(probe, { ...fits, layer: 3 })).toThrow(/layer 2.*layer 3/);
  });
});
