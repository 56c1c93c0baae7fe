/** One tag of a file, with its attributes; for script and title elements also what they hold. */
export interface Tag {
  readonly name: string;
  readonly isEnd: boolean;
  readonly attributes: ReadonlyMap<string, string>;
  readonly start: number;
  /** Just after its `>`. */
  readonly end: number;
}

/** Elements whose content is text up to their end tag, whatever it looks like. */
const RAW_TEXT = new Set(["script", "style", "title", "textarea"]);

/**
 * The tags of an HTML text in order, with offsets. Comments are skipped, and the content of raw-text elements is
 * not looked into. This is the part of HTML's tokenizer that notebook files need.
 * @see https://html.spec.whatwg.org/multipage/parsing.html#tokenization
 */
export function scanTags(text: string): Tag[] {
  const tags: Tag[] = [];
  let at = 0;
  for (;;) {
    at = text.indexOf("<", at);
    if (at === -1) return tags;
    if (text.startsWith("<!--", at)) {
      const close = text.indexOf("-->", at + 4);
      at = close === -1 ? text.length : close + 3;
      continue;
    }
    const opening = /^<(\/?)([a-z][^\s/>]*)/i.exec(text.slice(at, at + MAX_NAME));
    if (opening === null) {
      at += 1;
      continue;
    }
    const [whole, slash = "", rawName = ""] = opening;
    const { attributes, end } = scanAttributes(text, at + whole.length);
    const tag: Tag = { name: rawName.toLowerCase(), isEnd: slash !== "", attributes, start: at, end };
    tags.push(tag);
    at = end;
    if (!tag.isEnd && RAW_TEXT.has(tag.name)) at = findRawEnd(text, tag.name, at);
  }
}

/** Where the content of a raw-text element ends: at its end tag, or at the end of the text. */
function findRawEnd(text: string, name: string, from: number): number {
  const end = new RegExp(`</${name}(?=[\\s/>])`, "gi");
  end.lastIndex = from;
  return end.exec(text)?.index ?? text.length;
}

/**
 * A start tag without one of its attributes, and without the blanks before that; all other bytes stay.
 * @param tag from its `<` to its `>`
 */
export function withoutAttribute(tag: string, name: string): string {
  const from = /^<[^\s/>]+/.exec(tag)?.[0].length ?? 0;
  let kept = tag;
  for (const found of [...scanAttributes(tag, from).found].reverse())
    if (found.name === name) kept = kept.slice(0, found.start) + kept.slice(found.end);
  return kept;
}

interface FoundAttribute {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

function scanAttributes(
  text: string,
  from: number,
): {
  readonly attributes: ReadonlyMap<string, string>;
  /** Where each stands, with the blanks before it. */
  readonly found: readonly FoundAttribute[];
  readonly end: number;
} {
  const attributes = new Map<string, string>();
  const found: FoundAttribute[] = [];
  const pattern = /[\s/]*(?:(>)|([^\s/>=][^\s/>=]*)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>"']+)))?)/y;
  pattern.lastIndex = from;
  for (;;) {
    const start = pattern.lastIndex;
    const match = pattern.exec(text);
    if (match === null) return { attributes, found, end: text.length };
    const [, close, name, double, single, bare] = match;
    if (close !== undefined) return { attributes, found, end: pattern.lastIndex };
    const key = (name as string).toLowerCase();
    found.push({ name: key, start, end: pattern.lastIndex });
    // the first of two attributes with one name counts
    if (!attributes.has(key)) attributes.set(key, double ?? single ?? bare ?? "");
  }
}

/** Longer than any element name that matters here. */
const MAX_NAME = 64;
