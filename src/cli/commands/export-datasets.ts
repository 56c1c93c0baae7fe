import { join, resolve } from "node:path";
import { exportDatasets } from "../../study/exchange/export-arrays.ts";
import { openWorkspace, PROBE_SPLITS, type ProbeSplit } from "../../study/workspace.ts";
import { ARRAY_OPTIONS } from "../array-options.ts";
import { type Command, defineCommand } from "../command.ts";
import { text } from "../option-spec.ts";
import { reportExport } from "../report-export.ts";

/** Probe data sets for Python. */
export const EXPORT_DATASETS: Command = defineCommand({
  name: "export datasets",
  summary: "write the probe data sets with the states of a position and layer of choice",
  options: { ...ARRAY_OPTIONS, to: text("DIR", undefined, "Where to.", "artifacts/export") },
  examples: [
    { line: "sep export datasets --layer 14", meaning: "X_hidden of layer 14, in the split that is there" },
    { line: "sep export datasets --format safetensors --to shared", meaning: "for a reader without numpy" },
  ],
  async run({ format, position, layer, to, out, force, json }, context) {
    const workspace = openWorkspace(resolve(out));
    const folder = to ?? join(workspace.root, "artifacts", "export");
    const pathOf = (split: ProbeSplit): string => join(folder, `${split}.${format}`);
    return reportExport(PROBE_SPLITS.map(pathOf), { force, json }, context, async () => {
      const place = position === "auto" ? undefined : position;
      const written = await exportDatasets(workspace, pathOf, { format, position: place, layer });
      return written.map(({ leftOut, ...file }) => ({
        ...file,
        ...(leftOut === 0 ? {} : { left_out: leftOut }),
      }));
    });
  },
});
