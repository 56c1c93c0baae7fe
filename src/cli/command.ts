import { fileURLToPath } from "node:url";
import { readConfig } from "../study/config-file.ts";
import { refuseIdleSettings } from "../study/settings/backends.ts";
import type { Settings, SettingsOutput } from "../study/settings/setting.ts";
import type { Redactor } from "../text/redact.ts";
import { parseOptions } from "./options.ts";
import type { OutputStream } from "./terminal.ts";

/** Everything the command line touches of the world around it, so that tests can stand in for it. */
export interface CliWorld {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  /** UTF-8 in pieces of any length. */
  readonly stdin: AsyncIterable<Uint8Array>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted by the first Ctrl-C. */
  readonly signal: AbortSignal;
  /** Milliseconds; only differences count. */
  readonly now: () => number;
}

/** The world as a command gets it: no secret that is written to `stdout` or `stderr` gets out. */
export interface CliContext extends CliWorld {
  /** stdout without redaction, for data: answers of models, and the address that opens a notebook. */
  readonly data: OutputStream;
  /** For a message that stands within data. */
  readonly redactor: Redactor;
}

/** What a command's body needs to know about its command line besides the values. */
export interface GivenOptions {
  /** Names of the settings given on it. */
  readonly given: ReadonlySet<string>;
  /** All of it: "sep", the command's name, its arguments. */
  readonly line: readonly string[];
}

/** One command of `sep`. */
export interface Command {
  readonly name: string;
  /** One line. */
  readonly summary: string;
  readonly options: Settings;
  /** Whole command lines, without a prompt, each with what it does. */
  readonly examples: readonly { readonly line: string; readonly meaning: string }[];
  /**
   * @returns the exit code
   * @throws SepError `bad-option` for bad arguments, other codes from the work itself
   */
  run(args: readonly string[], context: CliContext): Promise<number>;
}

/** A command as its file writes it: its body gets the values of its own settings. */
export interface CommandDefinition<S extends Settings> extends Omit<Command, "run" | "options"> {
  readonly options: S;
  run(values: SettingsOutput<S>, context: CliContext, line: GivenOptions): Promise<number>;
}

/** Ties a command's body to its settings; `--config` and `--example`, where it has those, are read here. */
export function defineCommand<const S extends Settings>(definition: CommandDefinition<S>): Command {
  const { name, options } = definition;
  return {
    ...definition,
    async run(args, context) {
      const alone = parseOptions(name, options, args);
      const { config, example } = alone.values as Readonly<Record<"config" | "example", string | undefined>>;
      const files = [...(example === undefined ? [] : [locateExample(example)]), config].filter(
        (path) => path !== undefined,
      );
      const settings = await Promise.all(files.map((path) => readConfig(path, options)));
      const { values, given } = parseOptions(name, options, args, Object.assign({}, ...settings));
      refuseIdleSettings(options, values, given);
      return definition.run(values, context, { given, line: ["sep", ...name.split(" "), ...args] });
    },
  };
}

const locateExample = (name: string): string =>
  fileURLToPath(new URL(`../../examples/${name}.yaml`, import.meta.url));
