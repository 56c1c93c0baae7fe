import type { Command } from "./command.ts";

/** What the words of a command line begin with. */
export interface FoundCommand {
  /** null if there is no such command. */
  readonly command: Command | null;
  /** The words that name it, or should. */
  readonly name: string;
  /** The words after those. */
  readonly rest: readonly string[];
  /** The commands of two words that begin with the first one, when the second is none of theirs. */
  readonly group: readonly Command[];
}

/** Finds a command by its first word, or its first two: `run`, `models pull`. */
export function findCommand(commands: readonly Command[], words: readonly string[]): FoundCommand {
  const [first = "", second] = words;
  const group = commands.filter(({ name }) => name.startsWith(`${first} `));
  const name =
    group.length > 0 && second !== undefined && !second.startsWith("-") ? `${first} ${second}` : first;
  const command = commands.find((each) => each.name === name) ?? null;
  return {
    command,
    name,
    rest: words.slice(name.split(" ").length),
    group: command === null ? group : [],
  };
}
