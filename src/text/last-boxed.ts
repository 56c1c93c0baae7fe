/**
 * The content of the `\boxed{…}` or `\fbox{…}` that begins last among those whose braces close. One pass with
 * a stack: a box cut off by the token limit hides none before it.
 * @returns null if there is none
 */
export function lastBoxed(text: string): string | null {
  const open: { readonly at: number; readonly boxed: boolean }[] = [];
  let best: { readonly at: number; readonly content: string } | null = null;
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (char === "\\") {
      i += 1; // an escaped brace is no brace
    } else if (char === "{") {
      open.push({ at: i + 1, boxed: /\\f?box(?:ed)?\s{0,3}$/.test(text.slice(Math.max(0, i - 10), i)) });
    } else if (char === "}") {
      const opened = open.pop();
      if (opened?.boxed && (best === null || opened.at > best.at))
        best = { at: opened.at, content: text.slice(opened.at, i).trim() };
    }
  }
  return best?.content ?? null;
}
