import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { makeProbe } from "../../test/fakes/make-probe.ts";
import { saveProbe, weightsPathOf } from "../study/probe-files.ts";
import { assertStates, assessRisk, fetchProbe, type PlacedStates, parseProbe } from "./portable-probe.ts";

const GUARANTEED = { kind: "risk", target: 0.1, guarantee: "for sure", calibration_questions: 30 } as const;
const probe = makeProbe({
  decisions: [
    { kind: "risk", target: 0.1, threshold: { ...GUARANTEED, threshold: 0.5 }, reason: null },
    { kind: "coverage", target: 0.8, threshold: null, reason: "too few" },
  ],
});

describe("a probe's two files", () => {
  let json: string;
  let weights: Uint8Array;
  beforeAll(async () => {
    const path = join(await mkdtemp(join(tmpdir(), "sep-portable-")), "se_probe.json");
    await saveProbe(path, probe);
    json = await readFile(path, "utf8");
    // at an odd offset, as bytes that came over a network may be
    const bytes = await readFile(weightsPathOf(path));
    weights = new Uint8Array(bytes.length + 1).subarray(1);
    weights.set(bytes);
  });

  it("make the same probe", async () => {
    expect(await parseProbe(json, weights)).toEqual(probe);
  });

  it("are fetched from one address", async () => {
    const files: Record<string, string | Uint8Array<ArrayBuffer>> = {
      "/m/se_probe.json": json,
      "/m/se_probe.safetensors": weights as Uint8Array<ArrayBuffer>,
    };
    const fetch = (async (url: string | URL) => {
      const content = files[new URL(url).pathname];
      return content === undefined ? new Response(null, { status: 404 }) : new Response(content);
    }) as typeof globalThis.fetch;
    expect(await fetchProbe("https://x.org/m/se_probe.json", { fetch })).toEqual(probe);
    await expect(fetchProbe("https://x.org/m/none.json", { fetch })).rejects.toMatchObject({
      code: "missing-input",
      message: /none.json answers with status 404/,
    });
  });

  it.each<[string, (text: string) => string, RegExp]>([
    ["JSON that is cut off", (text) => text.slice(0, -9), /not valid JSON/],
    ["an older version", (text) => text.replace('"version": 5', '"version": 2'), /version 2, expected/],
    ["no width", (text) => text.replace('"width": 2', '"width": 0'), /"width" is 0/],
    [
      "another width",
      (text) => text.replace('"width": 2', '"width": 3'),
      /"mean" has shape \[2\], expected \[3\]/,
    ],
    ["an unknown kind", (text) => text.replace('"logistic"', '"forest"'), /"kind" is "forest"/],
    ["a falling map", (text) => text.replace('"slope": 2', '"slope": -2'), /"slope" is not above 0/],
    ["no intercept", (text) => text.replace('"intercept": -0.5', '"intercept": null'), /"intercept" is null/],
  ])("are refused with %s", async (_what, change, message) => {
    expect(change(json)).not.toBe(json);
    await expect(parseProbe(change(json), weights)).rejects.toMatchObject({ code: "bad-artifact", message });
  });

  it("are refused if one byte of the weights is another", async () => {
    const changed = weights.slice();
    changed[changed.length - 1]! ^= 1;
    await expect(parseProbe(json, changed)).rejects.toThrow(/has the SHA-256/);
  });
});

describe("assessRisk", () => {
  // logits 2.75 and -0.5 (see scoreProbe), then 2z + 0.25
  const place = (values: readonly number[]): PlacedStates =>
    assertStates(values, { position: "think-end", layer: 2, width: 2, normState: "residual" });
  const [certain, unsure, unknown] = assessRisk(probe, place([1, 2, 3, 1, Number.NaN, 0]));

  it("calibrates the score and decides by it", () => {
    expect(unsure!.score).toBeCloseTo(1 / (1 + Math.exp(-2.75)), 12);
    expect(unsure!.risk).toBeCloseTo(1 / (1 + Math.exp(-5.75)), 12);
    expect(certain!.risk).toBeCloseTo(1 / (1 + Math.exp(0.75)), 12);
    expect([certain!.decision, unsure!.decision]).toEqual(["answer", "abstain"]);
  });

  it("does not answer what it cannot judge", () => {
    expect(unknown).toEqual({
      score: Number.NaN,
      risk: Number.NaN,
      decision: "abstain",
      abstain_reason: "no-state",
      familiarity: null,
    });
    expect([certain!.abstain_reason, unsure!.abstain_reason]).toEqual([null, "risk"]);
  });

  it("has no decision without a threshold, and no risk without a map", () => {
    expect(assessRisk(probe, place([3, 1]), { decide: "coverage" })[0]!.decision).toBeNull();
    expect(assessRisk(makeProbe({ calibration_map: null }), place([3, 1]))[0]).toMatchObject({
      risk: null,
      decision: null,
    });
  });
});
