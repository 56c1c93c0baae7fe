import { readTool } from "../study/version.ts";
import type { Command } from "./command.ts";
import { describeOptions } from "./options.ts";

/** The help of `sep` itself. */
export function describeCli(commands: readonly Command[]): string {
  const width = Math.max(...commands.map(({ name }) => name.length)) + 2;
  return [
    `sep ${readTool().version}: know when a language model does not know`,
    "",
    "Usage: sep COMMAND [options]",
    "",
    "Commands:",
    ...commands.map(({ name, summary }) => `  ${name.padEnd(width)}${summary}`),
    "",
    "`sep COMMAND --help` lists a command's options. `sep run` does everything, offline, with the embedded model.",
  ].join("\n");
}

/** The help of one command: usage, every option with its default, examples. */
export function describeCommand({ name, summary, options, examples }: Command, columns: number): string {
  const operands = Object.values(options).flatMap((spec) =>
    spec.isOperand ? [spec.isOptional ? `[${spec.placeholder}]` : spec.placeholder] : [],
  );
  const rest = Object.values(options).some((spec) => spec.isRest) ? " [-- ARGS]" : "";
  return [
    `sep ${name}: ${summary}`,
    "",
    `Usage: sep ${[name, ...operands].join(" ")} [options]${rest}`,
    "",
    "Options:",
    describeOptions(options, columns),
    "",
    "Examples:",
    ...examples.flatMap(({ line, meaning }) => [`  # ${meaning}`, `  ${line}`]),
  ].join("\n");
}
