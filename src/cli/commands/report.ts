import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { writeReport } from "../../study/report/write-report.ts";
import { openWorkspace } from "../../study/workspace.ts";
import { type Command, defineCommand } from "../command.ts";
import { openBrowser } from "../open-browser.ts";
import { flag, text } from "../option-spec.ts";
import { oneStep, runStepCommand } from "../run-steps.ts";
import { FIGURE_OPTIONS, OUTPUT_OPTIONS } from "../step-options.ts";

/** The page that shows an evaluation. */
export const REPORT: Command = defineCommand({
  name: "report",
  summary: "the evaluation as a page, artifacts/report.html, and its figures as SVG, PDF or PNG, and CSV",
  options: {
    transfer: text(
      "FILE",
      undefined,
      "A comparison of data sets by `sep transfer` to show; artifacts/transfer.json if it is there.",
    ),
    ...FIGURE_OPTIONS,
    open: flag("Open the page in the browser."),
    ...OUTPUT_OPTIONS,
  },
  examples: [
    {
      line: "sep report --open",
      meaning: "write the report of `sep eval` if it is not current, and look at it",
    },
    {
      line: "sep report --transfer comparison/artifacts/transfer.json",
      meaning: "with the matrix of a comparison that stands elsewhere",
    },
    {
      line: "sep report --figures svg,pdf,png",
      meaning: "each figure also as PDF for a paper and as PNG for slides, in artifacts/figures/",
    },
  ],
  async run(values, context) {
    const { transfer, figures, force } = values;
    const chosen = transfer === undefined ? {} : { transfer };
    const code = await runStepCommand(values, context, (workspace) =>
      oneStep(writeReport(workspace, { ...chosen, figures, force, signal: context.signal })),
    );
    const address = pathToFileURL(openWorkspace(resolve(values.out)).report).href;
    if (values.open) openBrowser(address, context);
    if (!values.json && !values.quiet) context.stdout.write(`Report  ${address}\n`);
    return code;
  },
});
