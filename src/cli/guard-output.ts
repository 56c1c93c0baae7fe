import { openRedactor } from "../checkpoint/hub/hub.ts";
import { type Redactor, redactStrings } from "../text/redact.ts";
import type { CliContext, CliWorld, OutputStream } from "./command.ts";

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
