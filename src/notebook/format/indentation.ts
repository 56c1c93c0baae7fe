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

/**
 * A cell's source, out of the text between its tags or as somebody typed it: no blank lines at its ends, and no
 * indentation that all lines share.
 */
export function tidySource(text: string): string {
  const lines = text
    .replace(/\r\n?/g, "\n")
    .replace(/^(?:[ \t]*\n)+/, "")
    .trimEnd();
  const indent = commonIndent(lines);
  return lines
    .split("\n")
    .map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line.trimStart()))
    .join("\n");
}

/** Puts the indentation before each line that is not blank. */
export function indentLines(source: string, indent: string): string[] {
  return source.split("\n").map((line) => (line === "" ? "" : indent + line));
}

function sharedPrefix(a: string, b: string): string {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length += 1;
  return a.slice(0, length);
}
