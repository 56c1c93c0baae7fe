import { SepError } from "../../errors.ts";
import type { Json } from "../../formats/json.ts";
import type { Probe } from "../probe.ts";
import { splitProbe } from "../split-probe.ts";

/**
 * The fitted attributes of scikit-learn's `StandardScaler` and `LogisticRegression`, under scikit-learn's names; class
 * 1 is the probe's label 1. docs/probes.md has the Python that takes them.
 * @throws SepError `bad-option` for an `mlp`, which is no linear model
 */
export function toSklearn(probe: Probe): { readonly [key: string]: Json } {
  const { mean, scale, coefficients, intercept, hidden } = probe;
  const {
    training: _training,
    warnings: _warnings,
    intercept: _intercept,
    ...rest
  } = splitProbe(probe).description;
  if (hidden !== null)
    throw new SepError(
      "bad-option",
      "An mlp probe is no logistic regression. Export it as onnx, npz or portable.",
    );
  return {
    format: "sklearn-logistic-regression",
    scaler: { mean_: [...mean], scale_: [...scale] },
    classifier: { coef_: [[...coefficients]], intercept_: [intercept], classes_: [0, 1] },
    probe: rest,
  };
}
