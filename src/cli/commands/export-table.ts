import { join, resolve } from "node:path";
import { TABLE_FORMATS, writeTable } from "../../store/table-file.ts";
import { buildAnalysisTable } from "../../study/exchange/analysis-table.ts";
import { openWorkspace } from "../../study/workspace.ts";
import { type Command, defineCommand } from "../command.ts";
import { choice, text } from "../option-spec.ts";
import { reportExport } from "../report-export.ts";
import { OUTPUT_OPTIONS } from "../step-options.ts";

/** All that is known of each answer, as a table. */
export const EXPORT_TABLE: Command = defineCommand({
  name: "export table",
  summary: "write a table of all answers: how they came out, every estimate, every probe's score",
  options: {
    format: choice(TABLE_FORMATS, "parquet", "What to write."),
    to: text("FILE", undefined, "Where to.", "artifacts/answers.FORMAT"),
    out: OUTPUT_OPTIONS.out,
    force: OUTPUT_OPTIONS.force,
    json: OUTPUT_OPTIONS.json,
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
