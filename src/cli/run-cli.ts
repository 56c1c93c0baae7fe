import { openRedactor } from "../checkpoint/hub/hub.ts";
import { SepError, type SepErrorCode } from "../errors.ts";
import { explainFileError } from "../store/file-error.ts";
import { type Redactor, redactStrings } from "../text/redact.ts";
import { suggestName } from "../text/suggest-name.ts";
import type { CliContext, CliWorld } from "./command.ts";
import { describeVersion } from "./commands/version.ts";
import { COMMAND_GROUPS, COMMANDS, type FoundCommand, findCommand } from "./commands.ts";
import { EXIT, exitStatusOf } from "./exit.ts";
import { describeCli, describeCommand, describeSubcommands } from "./help.ts";
import { createPaint, lookOf, type OutputStream, setMessage } from "./terminal.ts";

/**
 * The command line interface: finds the command, runs it, and turns errors into a line and an exit code.
 * @param args without the interpreter and the script
 * @returns the exit status; docs/errors.md lists them
 */
export async function runCli(args: readonly string[], world: CliWorld): Promise<number> {
  const context = await guardOutput(args, world);
  const found = findCommand(COMMANDS, args);
  const { command, name, rest } = found;
  if (name === "--version" || name === "-v") return print(context, describeVersion());
  if (name === "--help" || name === "-h") return printCli(context);
  if (name === "help") return printHelp(rest, context);
  if (name === "") {
    context.stderr.write(`${describeCli(COMMAND_GROUPS, lookOf(context.stderr, context))}\n`);
    return EXIT.usage;
  }
  if (command === null) {
    const isWhole = !name.includes(" ");
    if (found.group.length > 0 && asksForHelp(rest)) return printGroup(found, context);
    if (found.group.length > 0 && isWhole && rest.length === 0) {
      context.stderr.write(`${describeSubcommands(found.group, lookOf(context.stderr, context))}\n`);
      return EXIT.usage;
    }
    return fail("sep", unknownCommand(found), rest, context);
  }
  if (asksForHelp(rest)) return print(context, describeCommand(command, lookOf(context.stdout, context)));
  try {
    return await command.run(rest, context);
  } catch (error) {
    return fail(`sep ${name}`, error, rest, context);
  }
}

function printHelp(words: readonly string[], context: CliContext): number {
  if (words.length === 0) return printCli(context);
  const found = findCommand(COMMANDS, words);
  const { command, group } = found;
  if (command === null) {
    if (group.length > 0 && words.length === 1) return printGroup(found, context);
    return fail("sep help", unknownCommand(found), [], context);
  }
  return print(context, describeCommand(command, lookOf(context.stdout, context)));
}

const printCli = (context: CliContext): number =>
  print(context, describeCli(COMMAND_GROUPS, lookOf(context.stdout, context)));

const printGroup = ({ group }: FoundCommand, context: CliContext): number =>
  print(context, describeSubcommands(group, lookOf(context.stdout, context)));

function unknownCommand({ name, group }: FoundCommand): SepError {
  const known = (group.length > 0 ? group : COMMANDS).map((command) => command.name);
  const words = group.length > 0 ? [] : known.map((each) => each.split(" ")[0] as string);
  const suggestion = suggestName(name, [...known, ...words]);
  const guess = suggestion === null ? "" : ` Did you mean \`sep ${suggestion}\`?`;
  const help = group.length > 0 ? `sep ${name.split(" ")[0]} --help` : "sep --help";
  return new SepError("bad-option", `There is no command "${name}".${guess} See \`${help}\`.`);
}

/** One line for people on stderr, one JSON object for machines on stdout, the stack for those who ask. */
function fail(prefix: string, thrown: unknown, args: readonly string[], context: CliContext): number {
  const { signal, stderr, stdout, env } = context;
  // the output was lost: whoever noticed has told what there is to tell, and there may be nobody left to read it
  if (signal.reason instanceof SepError) return exitStatusOf(signal.reason.code);
  const error = explainFileError(thrown);
  const interrupted = signal.aborted || (error instanceof SepError && error.code === "interrupted");
  const code: SepErrorCode | "unexpected" = interrupted
    ? "interrupted"
    : error instanceof SepError
      ? error.code
      : "unexpected";
  const message = interrupted
    ? "Stopped. Finished work is on disk: run the same command again to resume."
    : error instanceof Error
      ? error.message
      : String(error);
  const pointer = code === "unexpected" ? "set SEP_DEBUG=1 for the stack" : `${code}; see docs/errors.md`;
  const paint = createPaint(stderr, env);
  const text = setMessage(`${prefix}: ${message} [${pointer}]`, stderr);
  const painted = text
    .replace(prefix, (words) => paint(interrupted ? "yellow" : "red", words))
    .replace(/\[[^[\]\n]*\]$/, (words) => paint("gray", words));
  stderr.write(`${painted}\n`);
  if (env.SEP_DEBUG === "1") stderr.write(`${describeStack(error)}\n`);
  if (args.includes("--json")) stdout.write(`${JSON.stringify({ kind: "error", code, message })}\n`);
  return exitStatusOf(code);
}

function describeStack(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = error.stack ?? error.message;
  return error.cause === undefined ? own : `${own}\ncaused by: ${describeStack(error.cause)}`;
}

function asksForHelp(args: readonly string[]): boolean {
  const end = args.indexOf("--");
  return (end === -1 ? args : args.slice(0, end)).some((arg) => arg === "--help" || arg === "-h");
}

function print({ stdout }: CliContext, text: string): number {
  stdout.write(`${text}\n`);
  return EXIT.ok;
}

/**
 * Puts a redactor between a command and the terminal, once for all commands, so that none can forget it. It knows the
 * secrets of the environment and of the arguments, and the hub's token.
 */
export async function guardOutput(args: readonly string[], world: CliWorld): Promise<CliContext> {
  const redactor = await openRedactor(world.env, args);
  return {
    ...world,
    stdout: guard(world.stdout, redactor),
    stderr: guard(world.stderr, redactor),
    data: world.stdout,
    redactor,
  };
}

const guard = (stream: OutputStream, { message }: Redactor): OutputStream => ({
  get isTTY() {
    return stream.isTTY;
  },
  get columns() {
    return stream.columns; // changes with the window
  },
  write: (text) => stream.write(redactOutput(text, message)),
});

/** A line of JSON stays one: its strings are redacted one by one, and nothing else of it. */
function redactOutput(text: string, redact: (text: string) => string): string {
  const redacted = redact(text);
  if (redacted === text || !text.startsWith("{")) return redacted;
  try {
    return `${JSON.stringify(redactStrings(JSON.parse(text), redact))}\n`;
  } catch {
    return redacted; // a text that begins with a brace
  }
}
