import { join, resolve } from "node:path";
import { z } from "zod";
import { TRACE_POSITIONS } from "../../engine/places.ts";
import { SepError } from "../../errors.ts";
import { ARRAY_FORMATS } from "../../store/array-file.ts";
import { fileExists } from "../../store/read-file.ts";
import { TABLE_FORMATS, writeTable } from "../../store/table-file.ts";
import { buildAnalysisTable } from "../../study/exchange/analysis-table.ts";
import { exportDatasets, exportStates } from "../../study/exchange/export-arrays.ts";
import { importAnswers } from "../../study/exchange/import-answers.ts";
import { importArrays } from "../../study/exchange/import-arrays.ts";
import { operands, type SettingsOutput, setting, text } from "../../study/settings/setting.ts";
import {
  openWorkspace,
  PROBE_SPLITS,
  type ProbeSplit,
  SPLIT_SOURCES,
  type Workspace,
} from "../../study/workspace.ts";
import { CORRECTNESS_RULES } from "../../text/open-answer.ts";
import { type CliContext, type Command, defineCommand } from "../command.ts";
import { OUTPUT } from "../common-settings.ts";
import { EXIT } from "../exit.ts";
import { oneStep, runStepCommand } from "../run-steps.ts";

/** Which states are written, and as what. */
const ARRAYS = {
  format: setting(
    z.enum(ARRAY_FORMATS).default("npz"),
    "Format to write; safetensors files hold no strings, so their ids are in the metadata; docs/data.md.",
  ),
  position: setting(
    z.enum(["auto", ...TRACE_POSITIONS]).default("auto"),
    "Token position. auto: the position of the data sets; for states, think-end if it was traced.",
  ),
  layer: setting(z.int().min(0).optional(), "Layer to export.", {
    fallback: "the layer of the data sets; for states, the last traced one",
  }),
  out: OUTPUT.out,
  force: OUTPUT.force,
  json: OUTPUT.json,
};

/** Everything that is known about each answer, as a table. */
export const EXPORT_TABLE: Command = defineCommand({
  name: "export table",
  summary: "write a table of all answers with their grades, uncertainty measures and probe scores",
  options: {
    format: setting(z.enum(TABLE_FORMATS).default("parquet"), "Format to write; docs/data.md."),
    to: text("FILE", "Output file.", "artifacts/answers.FORMAT"),
    out: OUTPUT.out,
    force: OUTPUT.force,
    json: OUTPUT.json,
  },
  examples: [
    { line: "sep export table", meaning: "artifacts/answers.parquet, for pandas, DuckDB or R" },
    { line: "sep export table --format csv --to answers.csv", meaning: "for a spreadsheet" },
  ],
  async run({ format, to, out, force, json }, context) {
    const workspace = openWorkspace(resolve(out));
    const path = to ?? join(workspace.root, "artifacts", `answers.${format}`);
    return reportExport([path], { force, json }, context, async () => {
      const columns = await buildAnalysisTable(workspace);
      await writeTable(path, columns, format);
      const rows = columns[0]?.cells.length ?? 0;
      return [{ path, rows, columns: columns.length }];
    });
  },
});

/** Hidden states for Python. */
export const EXPORT_STATES: Command = defineCommand({
  name: "export states",
  summary: "write the hidden states of one position and layer as arrays for Python",
  options: {
    ...ARRAYS,
    set: setting(z.enum(SPLIT_SOURCES).default("math"), "Question set."),
    to: text("FILE", "Output file.", "artifacts/export/SET_hidden_states.FORMAT"),
  },
  examples: [
    {
      line: "sep export states --position think-end",
      meaning: "question_ids, run_ids and hidden_states of the last layer",
    },
    {
      line: "sep export states --set ood --layer 20 --format safetensors",
      meaning: "layer 20, without pickles or zip files",
    },
  ],
  async run({ format, position, layer, set, to, out, force, json }, context) {
    const workspace = openWorkspace(resolve(out));
    const path = to ?? join(workspace.root, "artifacts", "export", `${set}_hidden_states.${format}`);
    return reportExport([path], { force, json }, context, async () => {
      const place = position === "auto" ? undefined : position;
      const { leftOut: _none, ...file } = await exportStates(workspace, set, path, {
        format,
        position: place,
        layer,
      });
      return [file];
    });
  },
});

/** Probe data sets for Python. */
export const EXPORT_DATASETS: Command = defineCommand({
  name: "export datasets",
  summary: "write the probe data sets with the states of any position and layer",
  options: { ...ARRAYS, to: text("DIR", "Output folder.", "artifacts/export") },
  examples: [
    { line: "sep export datasets --layer 14", meaning: "X_hidden of layer 14, with the existing split" },
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

/** A file that was written, and what is in it. */
interface ExportedFile {
  readonly path: string;
  readonly [fact: string]: string | number;
}

/**
 * Writes files unless they exist, and says what was written.
 * @returns the exit code
 * @throws SepError `output-differs` if a file exists
 */
async function reportExport(
  paths: readonly string[],
  { force, json }: { readonly force: boolean; readonly json: boolean },
  { stdout }: CliContext,
  write: () => Promise<readonly ExportedFile[]>,
): Promise<number> {
  for (const path of paths) {
    if (force || !(await fileExists(path))) continue;
    throw new SepError(
      "output-differs",
      `${path} exists. Use --force to replace it, or choose another place with --to.`,
    );
  }
  const files = await write();
  if (json) stdout.write(`${JSON.stringify({ kind: "export", files })}\n`);
  for (const { path, ...facts } of json ? [] : files) {
    const list = Object.entries(facts).map(([name, value]) => `${name} ${value}`);
    stdout.write(`wrote ${path}${list.length === 0 ? "" : `: ${list.join(", ")}`}\n`);
  }
  return EXIT.ok;
}

const IMPORT_OPTIONS = {
  files: operands(
    "FILES",
    "One file of answers (docs/import.md), or NPZ files: math_train.npz, math_val.npz, math_test.npz, ood_test.npz, math_hidden_states.npz, …",
  ),
  set: setting(z.enum(SPLIT_SOURCES).default("math"), "Question set that the answers become."),
  correctness: setting(
    z.enum(["auto", ...CORRECTNESS_RULES]).default("auto"),
    "Rule that grades answers that their file does not grade, by the reference answers of the study's questions.",
  ),
  layer: setting(
    z.int().min(0).optional(),
    "Layer of the states in NPZ files, which do not record it; for the last layer, the model's number of blocks.",
  ),
  position: setting(z.enum(TRACE_POSITIONS).default("think-end"), "Token position of the states."),
  normState: setting(
    z.enum(["final-norm", "residual"]).default("final-norm"),
    "final-norm for the last entry of transformers' hidden_states, residual for any other.",
  ),
  model: text("NAME", "Name of the model, to be recorded."),
  ...OUTPUT,
};

/** Data of a Python pipeline, or answers of any tool. */
export const IMPORT: Command = defineCommand({
  name: "import",
  summary: "import answers of any tool, or states and data sets of a Python pipeline, into a study",
  options: IMPORT_OPTIONS,
  examples: [
    {
      line: "sep import answers.jsonl --model closed-1 --out study",
      meaning: "answers of a closed model, for `sep entropy` and `sep trace --observer`",
    },
    {
      line: "sep import old/math_train.npz old/math_val.npz old/math_test.npz --layer 28 --out study",
      meaning: "data sets of the last of 28 blocks, for `sep train` and `sep eval`",
    },
  ],
  run: (values, context) =>
    runStepCommand(values, context, (workspace) => oneStep(importFiles(workspace, values))),
});

/** @throws SepError `bad-option` for NPZ files without a layer, and answers in several files */
function importFiles(
  workspace: Workspace,
  { files, layer, set, ...values }: SettingsOutput<typeof IMPORT_OPTIONS>,
): ReturnType<typeof importArrays> {
  const arrays = files.filter((file) => /\.npz$/i.test(file));
  const [first, second] = files;
  if (arrays.length === 0 && first !== undefined && second === undefined)
    return importAnswers(workspace, set, first, values);
  if (arrays.length < files.length)
    throw new SepError(
      "bad-option",
      `Got ${files.join(", ")}, expected NPZ files, or a single file of answers. Import one file of answers per question set.`,
    );
  if (layer !== undefined) return importArrays(workspace, files, { ...values, layer });
  throw new SepError(
    "bad-option",
    "Got NPZ files without --layer, which they do not record. Give the layer that their states are of.",
  );
}
