/** The whitespace that all lines of a text that are not blank begin with. */
export function commonIndent(text: string): string {
  let common: string | null = null;
  for (const line of text.split("\n")) {
    if (line.trim() === "") continue;
    const own = /^[ \t]*/.exec(line)?.[0] ?? "";
    common = common === null ? own : sharedPrefix(common, own);
  }
  return common ?? "";
}

/** A cell's source out of the text between its tags: the line breaks at both ends and the indentation go. */
export function dedent(content: string): string {
  const indent = commonIndent(content);
  return content
    .replace(/\r\n/g, "\n")
    .replace(/^[ \t]*\n/, "")
    .replace(/\n?[ \t]*$/, "")
    .split("\n")
    .map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line.trimStart()))
    .join("\n");
}

/** Source as a file can hold it: no blank lines at its ends, and no indentation that all lines share. */
export const tidySource = (source: string): string =>
  dedent(
    source
      .replace(/\r\n?/g, "\n")
      .replace(/^(?:[ \t]*\n)+/, "")
      .trimEnd(),
  );

/** Puts the indentation before each line that is not blank. */
export function indentLines(source: string, indent: string): string[] {
  return source.split("\n").map((line) => (line === "" ? "" : indent + line));
}

function sharedPrefix(a: string, b: string): string {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length += 1;
  return a.slice(0, length);
}
