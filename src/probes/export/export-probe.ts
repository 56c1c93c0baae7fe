import { SepError } from "../../errors.ts";
import { stableStringify } from "../../formats/json.ts";
import { writeNpz } from "../../store/array-file.ts";
import { writeAtomic } from "../../store/write-atomic.ts";
import type { Probe } from "../probe.ts";
import { saveProbe, weightsPathOf } from "../probe-file.ts";
import { toProbeArrays } from "./probe-arrays.ts";
import { buildProbeGraph } from "./probe-graph.ts";
import { toSklearn } from "./sklearn-form.ts";

/**
 * What a probe can be written as.
 * - `portable`: this package's own two files, which Node and browsers read.
 * - `onnx`: a graph from hidden states to scores and calibrated risks.
 * - `npz`: its arrays, for numpy.
 * - `sklearn-json`: the attributes of a `StandardScaler` and a `LogisticRegression`.
 */
export const PROBE_EXPORT_FORMATS = ["portable", "onnx", "npz", "sklearn-json"] as const;
export type ProbeExportFormat = (typeof PROBE_EXPORT_FORMATS)[number];

const ENDINGS = {
  portable: ".json",
  onnx: ".onnx",
  npz: ".npz",
  "sklearn-json": ".sklearn.json",
} as const satisfies Record<ProbeExportFormat, string>;

/** Where a probe goes when it is exported to a file that is not named: the probe's own name with another ending. */
export const exportPathOf = (path: string, format: ProbeExportFormat): string =>
  `${path.replace(/\.json$/, "")}${ENDINGS[format]}`;

/**
 * Writes a probe for others to use.
 * @param path of the file; of `portable`, the JSON file, whose weights go beside it
 * @returns the files that were written
 * @throws SepError `bad-option` for a name that does not end in `.json` where that is to be `portable`, or a kind that
 *   the format cannot hold
 */
export async function exportProbe(
  probe: Probe,
  path: string,
  format: ProbeExportFormat,
): Promise<readonly string[]> {
  switch (format) {
    case "portable": {
      if (!path.endsWith(".json"))
        throw new SepError(
          "bad-option",
          `A portable probe is a .json file with its weights beside it, got ${path}.`,
        );
      await saveProbe(path, probe);
      return [path, weightsPathOf(path)];
    }
    case "onnx":
      await writeAtomic(path, buildProbeGraph(probe));
      return [path];
    case "npz":
      await writeNpz(path, toProbeArrays(probe));
      return [path];
    case "sklearn-json":
      await writeAtomic(path, `${stableStringify(toSklearn(probe), 1)}\n`);
      return [path];
  }
}
