import { SepError } from "../../errors.ts";
import { exportPathOf, exportProbe, PROBE_EXPORT_FORMATS } from "../../probes/export/export-probe.ts";
import { loadProbe } from "../../probes/probe-file.ts";
import { fileExists } from "../../store/file-exists.ts";
import { type Command, defineCommand } from "../command.ts";
import { EXIT } from "../exit.ts";
import { choice, operand, text } from "../option-spec.ts";
import { OUTPUT_OPTIONS } from "../step-options.ts";

/** A probe for other programs. */
export const PROBE_EXPORT: Command = defineCommand({
  name: "probe export",
  summary: "write a probe for other programs: ONNX, numpy, scikit-learn, or this package's own two files",
  options: {
    probe: operand("FILE", "The probe's .json file, its weights beside it."),
    format: choice(PROBE_EXPORT_FORMATS, "portable", "What to write; docs/probes.md says what each holds."),
    to: text("FILE", undefined, "Where to.", "beside the probe, under its name"),
    force: OUTPUT_OPTIONS.force,
    json: OUTPUT_OPTIONS.json,
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
