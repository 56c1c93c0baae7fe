import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { expectAllClose } from "../../test/expect-all-close.ts";
import { hashed } from "../../test/fakes/hashed.ts";
import { makeHashedRows } from "../../test/fakes/hashed-rows.ts";
import { ortNode } from "../engine/runtime/ort-node.ts";
import { auroc } from "../math/auroc.ts";
import { rowCosts } from "./fit-logistic.ts";
import { scoreRows } from "./probe-weights.ts";
import { createMatrixMultiplier } from "./products/matrix-multiplier.ts";
import { applyScaler, fitScaler } from "./scaler.ts";
import { MLP_UNITS, scoreMlp, startMlp, trainMlp } from "./train-mlp.ts";

const { network } = JSON.parse(
  readFileSync(new URL("../../test/golden/probes.json", import.meta.url), "utf8"),
) as {
  readonly network: {
    readonly n: number;
    readonly d: number;
    readonly C: number;
    readonly logits: readonly number[];
  };
};

it("takes the same steps as torch from the same weights", async () => {
  const { n, d, C } = network;
  const { features, labels } = makeHashedRows(n, d);
  const everyRow = Array.from(labels.keys());
  const scaler = fitScaler(features, d, everyRow);
  const standardised = applyScaler(scaler, features, everyRow);
  await using multiplier = await createMatrixMultiplier(ortNode);
  const start = {
    hidden: Float32Array.from(
      { length: d * MLP_UNITS },
      (_, i) => hashed(Math.floor(i / MLP_UNITS), (i % MLP_UNITS) + 100) - 0.5,
    ),
    hiddenBias: new Float32Array(MLP_UNITS),
    output: Float32Array.from({ length: MLP_UNITS }, (_, u) => hashed(u, 200) - 0.5),
    outputBias: new Float32Array(1),
  };
  const mlp = await trainMlp(multiplier, start, {
    features: standardised,
    labels,
    costs: rowCosts(labels, C, "balanced"),
  });
  const logits = await scoreMlp(multiplier, mlp, standardised, n);
  // A hundred float32 steps; Adam divides by the root of tiny squares, which magnifies rounding.
  expectAllClose(logits, network.logits, 1e-3);

  // The same network as the weights of a probe, on raw features.
  const weights = {
    mean: Float32Array.from(scaler.mean),
    scale: Float32Array.from(scaler.scale),
    coefficients: mlp.output,
    intercept: mlp.outputBias[0]!,
    hidden: { weights: mlp.hidden, biases: mlp.hiddenBias },
  };
  expectAllClose(scoreRows(weights, features), logits, 1e-4); // float32 against float64 sums
});

it("bends where a line cannot: one class inside a ring of the other", async () => {
  const n = 400;
  const features = Float32Array.from({ length: 2 * n }, (_, i) => 4 * (hashed(i, 5) - 0.5));
  const labels = Uint8Array.from({ length: n }, (_, i) =>
    Math.hypot(features[2 * i]!, features[2 * i + 1]!) > 1.4 ? 1 : 0,
  );
  await using multiplier = await createMatrixMultiplier(ortNode);
  const costs = rowCosts(labels, 1, "none");
  const mlp = await trainMlp(multiplier, startMlp(2, 3), { features, labels, costs });
  const first = Float64Array.from(labels, (_, i) => features[2 * i]!);
  expect(Math.abs(auroc(first, labels) - 0.5)).toBeLessThan(0.1);
  expect(auroc(await scoreMlp(multiplier, mlp, features, n), labels)).toBeGreaterThan(0.8);
});
