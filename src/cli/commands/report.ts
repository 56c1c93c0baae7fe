import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { writeReport } from "../../study/report/write-report.ts";
import { REPORT as REPORT_SETTINGS } from "../../study/settings/probes.ts";
import { flag, text } from "../../study/settings/setting.ts";
import { openWorkspace } from "../../study/workspace.ts";
import { type Command, defineCommand } from "../command.ts";
import { OUTPUT } from "../common-settings.ts";
import { oneStep, runStepCommand } from "../run-steps.ts";
import { openBrowser } from "../serve-session.ts";

/** The page that shows an evaluation. */
export const REPORT: Command = defineCommand({
  name: "report",
  summary: "the evaluation as a page, artifacts/report.html, and its figures as SVG, PDF or PNG, and CSV",
  options: {
    transfer: text(
      "FILE",
      "A comparison of data sets by `sep transfer` to show; docs/transfer.md.",
      "artifacts/transfer.json if it is there",
    ),
    ...REPORT_SETTINGS,
    open: flag("Open the page in the browser."),
    ...OUTPUT,
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
    const code = await runStepCommand(values, context, (workspace) =>
      oneStep(writeReport(workspace, { ...values, signal: context.signal })),
    );
    const address = pathToFileURL(openWorkspace(resolve(values.out)).report).href;
    if (values.open) openBrowser(address, context);
    if (!values.json && !values.quiet) context.stdout.write(`Report  ${address}\n`);
    return code;
  },
});
