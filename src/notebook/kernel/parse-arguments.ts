/** Arguments of a notebook: `--k 20 --quick --name=x file` as `{ k: 20, quick: true, name: "x", _: ["file"] }`. */
export type NotebookArguments = Readonly<Record<string, string | number | boolean | readonly string[]>>;

/** Reads what stands behind `--` on the command line. What looks like a number is one. */
export function parseArguments(words: readonly string[]): NotebookArguments {
  const values: Record<string, string | number | boolean | string[]> = {};
  const rest: string[] = [];
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] as string;
    const [, name, , inline] = /^--([^=]+)(=(.*))?$/s.exec(word) ?? [];
    if (name === undefined) rest.push(word);
    else if (inline !== undefined) values[name] = readWord(inline);
    else if (at + 1 < words.length && !/^--\D/.test(words[at + 1] as string)) {
      at += 1;
      values[name] = readWord(words[at] as string);
    } else values[name] = true;
  }
  return { ...values, _: rest };
}

const readWord = (word: string): string | number =>
  word.trim() !== "" && Number.isFinite(Number(word)) ? Number(word) : word;
