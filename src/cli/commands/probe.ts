import { z } from "zod";
import { SepError } from "../../errors.ts";
import { exportPathOf, exportProbe, PROBE_EXPORT_FORMATS } from "../../probes/export/export-probe.ts";
import { loadProbe, readProbeFile } from "../../probes/probe-file.ts";
import { splitProbe } from "../../probes/split-probe.ts";
import { fileExists } from "../../store/file-exists.ts";
import { operand, setting, text } from "../../study/settings/setting.ts";
import { type Command, defineCommand } from "../command.ts";
import { OUTPUT } from "../common-settings.ts";
import { describeProbeFile } from "../describe-probe-file.ts";
import { EXIT } from "../exit.ts";
import { createPaint, wrap } from "../terminal.ts";

/** What a probe is, from its two files. */
export const PROBE_INFO: Command = defineCommand({
  name: "probe info",
  summary: "what a probe reads, was trained on, and promises",
  options: {
    probe: operand("FILE", "The probe's .json file, its weights beside it."),
    json: OUTPUT.json,
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

/** A probe for other programs. */
export const PROBE_EXPORT: Command = defineCommand({
  name: "probe export",
  summary: "write a probe for other programs: ONNX, numpy, scikit-learn, or this package's own two files",
  options: {
    probe: operand("FILE", "The probe's .json file, its weights beside it."),
    format: setting(
      z.enum(PROBE_EXPORT_FORMATS).default("portable"),
      "What to write; docs/probes.md says what each holds.",
    ),
    to: text("FILE", "Where to.", "beside the probe, under its name"),
    force: OUTPUT.force,
    json: OUTPUT.json,
  },
  examples: [
    {
      line: "sep probe export artifacts/models/se_probe.json --format onnx",
      meaning: "a graph from hidden states to scores and calibrated risks",
    },
    {
      line: "sep probe export artifacts/models/se_probe.json --to shared/se_probe.json",
      meaning: "the two files that Node and browsers read",
    },
  ],
  async run({ probe: path, format, to, force, json }, { stdout }) {
    const probe = await loadProbe(path);
    const target = to ?? exportPathOf(path, format);
    if (!force && (await fileExists(target)))
      throw new SepError(
        "output-differs",
        `${target} exists. Use --force to replace it, or --to for another file.`,
      );
    const files = await exportProbe(probe, target, format);
    stdout.write(
      json ? `${JSON.stringify({ kind: "export", format, files })}\n` : `wrote ${files.join(", ")}\n`,
    );
    return EXIT.ok;
  },
});
