import { splitProbe } from "../../probes/split-probe.ts";
import { readProbeFile } from "../../study/probe-files.ts";
import { type Command, defineCommand } from "../command.ts";
import { describeProbeFile } from "../describe-probe-file.ts";
import { EXIT } from "../exit.ts";
import { operand } from "../option-spec.ts";
import { createPaint } from "../paint.ts";
import { OUTPUT_OPTIONS } from "../step-options.ts";
import { wrap } from "../wrap.ts";

/** What a probe is, from its two files. */
export const PROBE_INFO: Command = defineCommand({
  name: "probe info",
  summary: "what a probe reads, was trained on, and promises",
  options: {
    probe: operand("FILE", "The probe's .json file, its weights beside it."),
    json: OUTPUT_OPTIONS.json,
  },
  examples: [
    {
      line: "sep probe info artifacts/models/se_probe.json",
      meaning: "the SE probe of the study in this folder",
    },
    { line: "sep probe info se_probe.json --json", meaning: "all that its file says, for a script" },
  ],
  async run(values, { stdout, env }) {
    const probe = await readProbeFile(values.probe);
    if (values.json) {
      const description = probe.kind === "untrained" ? probe : splitProbe(probe).description;
      stdout.write(`${JSON.stringify({ ...description, kind: "probe", probe_kind: probe.kind })}\n`);
      return EXIT.ok;
    }
    const paint = createPaint(stdout, env);
    const columns = Math.min(stdout.columns ?? DEFAULT_COLUMNS, MOST_COLUMNS) - NAME_WIDTH;
    for (const [name, value] of describeProbeFile(probe)) {
      const [first = "", ...rest] = wrap(value, columns);
      stdout.write(`${paint("gray", name.padEnd(NAME_WIDTH))}${first}\n`);
      for (const line of rest) stdout.write(`${" ".repeat(NAME_WIDTH)}${line}\n`);
    }
    return EXIT.ok;
  },
});

const NAME_WIDTH = 17;
const DEFAULT_COLUMNS = 80;
const MOST_COLUMNS = 110;
