import type { Redactor } from "../text/redact.ts";
import type { OptionTable, OptionValues } from "./option-spec.ts";
import { parseOptions } from "./options.ts";

/** What the CLI needs of an output stream; `process.stdout` is one. */
export interface OutputStream {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

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

/** The world as a command gets it: no secret comes out of `stdout` and `stderr`, whatever is written there. */
export interface CliContext extends CliWorld {
  /** stdout as it is, for what is data and no message: answers of models, and the address that opens a notebook. */
  readonly data: OutputStream;
  /** For a message that stands within data. */
  readonly redactor: Redactor;
}

/** One command of `sep`. */
export interface Command {
  readonly name: string;
  /** One line. */
  readonly summary: string;
  readonly options: OptionTable;
  /** Whole command lines, without a prompt, each with what it does. */
  readonly examples: readonly { readonly line: string; readonly meaning: string }[];
  /**
   * @returns the exit code
   * @throws SepError `bad-option` for bad arguments, other codes from the work itself
   */
  run(args: readonly string[], context: CliContext): Promise<number>;
}

/** A command as its file writes it: its body gets the values of its own option table. */
export interface CommandDefinition<Table extends OptionTable> extends Omit<Command, "run" | "options"> {
  readonly options: Table;
  run(values: OptionValues<Table>, context: CliContext): Promise<number>;
}

/** Ties a command's body to its option table. */
export function defineCommand<const Table extends OptionTable>(
  definition: CommandDefinition<Table>,
): Command {
  const { name, options } = definition;
  return {
    ...definition,
    run: (args, context) => definition.run(parseOptions(name, options, args), context),
  };
}
