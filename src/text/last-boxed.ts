/**
 * What is in the last `\boxed{…}` or `\fbox{…}` whose braces close; a box cut off by the token limit hides none
 * before it. Of boxes within a box it is the outer one's content, unless that is nothing but the inner one. Boxes
 * joined by commas, "and" or "or" are one answer: `\boxed{1} and \boxed{2}` is `1, 2`. `\boxed 5` has no braces.
 * Time is linear in the text.
 * @returns null if there is none
 */
export function lastBoxed(text: string): string | null {
  const boxes = findBoxes(text);
  const last = boxes.at(-1);
  if (last === undefined) return null;
  const contents = [last.content];
  for (let at = boxes.length - 1; at > 0; at--) {
    const [before, next] = [boxes[at - 1] as Box, boxes[at] as Box];
    if (!JOINS.test(text.slice(before.end, Math.min(next.start, before.end + MAX_GAP)))) break;
    if (next.start - before.end > MAX_GAP) break;
    if (!contents.includes(before.content)) contents.unshift(before.content);
  }
  return contents.join(", ");
}

interface Box {
  /** Where its command begins, and where its last brace ends. */
  readonly start: number;
  readonly end: number;
  readonly content: string;
}

/** At least a comma or a word, with dollars and commas around it. */
const JOINS = /^[\s$]*(?:,|;|,?[\s$]*(?:\\text\{\s*)?(?:and|or)\b(?:\s*\})?)[\s$]*$/;
const MAX_GAP = 40;

/** Those that are in no other box, in the order of the text. One pass with a stack. */
function findBoxes(text: string): readonly Box[] {
  const boxes: Box[] = [];
  const open: { readonly at: number; readonly start: number }[] = [];
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === "\\") {
      const bare = /^\\f?box(?:ed)?(?:\s{0,3}([-+]?\d(?:[\d.,/]{0,40}\d)?%?)|\s{1,3}([a-zA-Z])\b)/.exec(
        text.slice(at, at + 60),
      );
      const content = bare?.[1] ?? bare?.[2];
      if (bare && content !== undefined) boxes.push({ start: at, end: at + bare[0].length, content });
      at += 1; // an escaped brace is no brace
    } else if (char === "{") {
      const command = /\\f?box(?:ed)?\s{0,3}$/.exec(text.slice(Math.max(0, at - 10), at));
      open.push({ at: at + 1, start: command === null ? -1 : at - command[0].length });
    } else if (char === "}") {
      const opened = open.pop();
      if (opened === undefined || opened.start < 0) continue;
      const content = text.slice(opened.at, at).trim();
      const inner = boxes.at(-1);
      const isOnlyBox =
        inner !== undefined && inner.start >= opened.at && isAround(text, opened.at, inner, at);
      while ((boxes.at(-1)?.start ?? -1) > opened.start) boxes.pop();
      boxes.push({ start: opened.start, end: at + 1, content: isOnlyBox ? inner.content : content });
    }
  }
  return boxes;
}

const isAround = (text: string, from: number, { start, end }: Box, to: number): boolean =>
  text.slice(from, start).trim() === "" && text.slice(end, to).trim() === "";
