import { readTool } from "../../study/step.ts";
import { type CliContext, type Command, defineCommand } from "../command.ts";
import { OUTPUT } from "../common-settings.ts";
import { EXIT } from "../exit.ts";
import {
  type Check,
  checkCpu,
  checkEngine,
  checkHuggingFaceCache,
  checkMemory,
  checkNode,
  checkPocket,
  checkWorkspace,
} from "../machine-checks.ts";
import { createPaint, type Style } from "../terminal.ts";

const { out, json } = OUTPUT;

/** What is installed, what is missing, and how to get it. */
export const DOCTOR: Command = defineCommand({
  name: "doctor",
  summary: "show what is installed, what is missing, and how to get it",
  options: { out, json },
  examples: [
    { line: "sep doctor", meaning: "check this machine" },
    {
      line: "sep doctor --json",
      meaning: "the same for a script; the exit code is 1 if something is broken",
    },
  ],
  async run(values, context) {
    const checks: readonly Check[] = [
      { name: "semantic-entropy-probes", status: "ok", detail: readTool().version },
      checkNode(),
      checkCpu(),
      checkMemory(),
      await checkWorkspace(values.out),
      ...(await checkEngine()),
      await checkPocket(context.signal),
      await checkHuggingFaceCache(context.env),
      PYTHON,
    ];
    const isBroken = checks.some(({ status }) => status === "broken");
    if (values.json) context.stdout.write(`${JSON.stringify({ kind: "doctor", ok: !isBroken, checks })}\n`);
    else printChecks(checks, context);
    return isBroken ? EXIT.failed : EXIT.ok;
  },
});

/** For those who come from the Python pipelines and look for what to install. */
const PYTHON: Check = {
  name: "python",
  status: "ok",
  detail: "not needed; neither are torch, transformers, vllm, nnsight, scikit-learn and marimo",
};

function printChecks(checks: readonly Check[], { stdout, env }: CliContext): void {
  const paint = createPaint(stdout, env);
  const width = Math.max(...checks.map(({ name }) => name.length));
  for (const { name, status, detail, advice } of checks) {
    const { style, word } = MARKS[status];
    stdout.write(`${paint(style, word.padEnd(7))} ${name.padEnd(width)}  ${detail}\n`);
    if (advice !== undefined) stdout.write(`${" ".repeat(7 + 1 + width + 2)}${paint("gray", advice)}\n`);
  }
  const broken = checks.filter(({ status }) => status === "broken");
  stdout.write(
    broken.length === 0
      ? "\nEverything that `sep run` needs works.\n"
      : `\nBroken: ${broken.map(({ name }) => name).join(", ")}.\n`,
  );
}

const MARKS: Readonly<Record<Check["status"], { readonly style: Style; readonly word: string }>> = {
  ok: { style: "green", word: "ok" },
  absent: { style: "gray", word: "absent" },
  warning: { style: "yellow", word: "warning" },
  broken: { style: "red", word: "broken" },
};
