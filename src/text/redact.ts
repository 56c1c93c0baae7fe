/** Takes secrets out of texts. Both functions give back a text without secrets as it is. */
export interface Redactor {
  /** For messages, errors, logs and addresses: known secrets, and whatever has the shape of one. */
  readonly message: (text: string) => string;
  /** Known secrets only: for texts that are shown as data, where "token=…" may be somebody's answer. */
  readonly known: (text: string) => string;
}

const REDACTED = "[redacted]";

/** A shorter value, such as the "1" of a switch, would take ordinary words and numbers out of messages. */
const MIN_LENGTH = 8;
/** A row of asterisks hides a secret and is none. */
const MIN_DISTINCT = 3;
/**
 * Pieces of a longer secret count as much as the whole, since servers and excerpts cut texts off anywhere; 12 characters
 * of a key do not occur by chance.
 */
const PIECE_LENGTH = 12;
/** An escaped text inside an escaped text, once more. */
const MAX_ESCAPES = 3;

/**
 * A redactor of these secrets. They are found as they are, in pieces, and percent-encoded, JSON-escaped, HTML-escaped
 * or in base64 (as part of any longer text, as in Basic authentication), also one inside the other.
 * @param secrets those of fewer than 8 characters are left to the shapes
 */
export function createRedactor(secrets: readonly string[]): Redactor {
  let forms: ReadonlyMap<number, ReadonlySet<string>> | null = null; // built when there is a text: most have none
  const known = (text: string): string => {
    forms ??= indexPieces(secrets);
    return forms.size === 0 ? text : replaceSpans(text, findPieces(text, forms));
  };
  return { known, message: (text) => redactShapes(known(text)) };
}

/**
 * Redacts every string of a plain value.
 * @returns a copy; what is no string, array or plain object stays what it is
 */
export function redactStrings<Value>(value: Value, redact: (text: string) => string): Value {
  const copy = (each: unknown): unknown => {
    if (typeof each === "string") return redact(each);
    if (Array.isArray(each)) return each.map(copy);
    if (typeof each !== "object" || each === null || Object.getPrototypeOf(each) !== Object.prototype)
      return each;
    return Object.fromEntries(Object.entries(each).map(([key, inner]) => [key, copy(inner)]));
  };
  return copy(value) as Value;
}

/**
 * An error for somebody else's eyes: with message, stack, causes and fields redacted (Node's errors of an address have it
 * in `input`); itself where none of them holds a secret.
 */
export function redactError(error: unknown, redact: (text: string) => string): unknown {
  if (!(error instanceof Error)) return redactStrings(error, redact);
  const { name, message, stack = "", cause } = error;
  const fields = Object.entries(error).filter(([, value]) => ["string", "number"].includes(typeof value));
  const { errors = [] } = error as Partial<AggregateError>;
  const before = [message, stack, cause, ...errors, ...fields.map(([, value]) => value)];
  const after = before.map((each) => redactError(each, redact));
  if (after.every((each, at) => each === before[at])) return error;
  const [cleanMessage, cleanStack, cleanCause] = after as [string, string, unknown];
  const copy = new Error(cleanMessage, cause === undefined ? {} : { cause: cleanCause });
  const own = fields.map(([key], at) => [key, after[3 + errors.length + at]]);
  return Object.assign(copy, { name, stack: cleanStack, ...Object.fromEntries(own) });
}

/** Redacts text that comes in pieces, line by line, so that no secret slips through in two halves. */
export function createLineRedactor(
  redact: (text: string) => string,
  write: (text: string) => void,
): { readonly push: (text: string) => void; readonly end: () => void } {
  let rest = "";
  return {
    push(text) {
      rest += text;
      const end = Math.max(rest.lastIndexOf("\n"), rest.lastIndexOf("\r")) + 1; // progress bars end in \r
      if (end === 0 && rest.length < MAX_LINE) return;
      write(redact(end === 0 ? rest : rest.slice(0, end)));
      rest = end === 0 ? "" : rest.slice(end);
    },
    end() {
      if (rest !== "") write(redact(rest));
      rest = "";
    },
  };
}

/** What prints so much without a line break is no text. */
const MAX_LINE = 1_000_000;

/** An address that may be none, for an error about it: without anything that could be a login or a token. */
export const redactUrl = (url: string): string =>
  redactShapes(url.replace(/^([a-z][a-z0-9+.-]{0,20}:\/\/)?.*@/i, `$1${REDACTED}@`));

type Span = readonly [start: number, end: number];

/** Piece length -> pieces of that length of all forms of all secrets. */
function indexPieces(secrets: readonly string[]): ReadonlyMap<number, ReadonlySet<string>> {
  const pieces = new Map<number, Set<string>>();
  for (const secret of secrets) {
    if (secret.length < MIN_LENGTH || new Set(secret).size < MIN_DISTINCT) continue;
    const bytes = toByteString(secret);
    for (const form of new Set([...spellings(secret), ...spellings(bytes), ...base64Cores(bytes)])) {
      if (form.length < MIN_LENGTH) continue;
      const length = Math.min(PIECE_LENGTH, form.length);
      const known = pieces.get(length) ?? new Set();
      pieces.set(length, known);
      for (let at = 0; at + length <= form.length; at++) known.add(form.slice(at, at + length));
    }
  }
  return pieces;
}

/** A secret in which "%5a" happens to stand is unescaped together with the text around it. */
function spellings(secret: string): readonly string[] {
  const found: string[] = [];
  let view: View | null = { text: secret, from: null };
  for (; view !== null && found.length <= MAX_ESCAPES; view = unescapeOnce(view)) found.push(view.text);
  return found;
}

/** A character a byte of UTF-8, which is what percent-encoding decodes to. */
const toByteString = (text: string): string =>
  Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join("");

/** The characters of base64 that a secret decides wherever it occurs in a longer text, in both alphabets. */
function base64Cores(bytes: string): readonly string[] {
  return [0, 1, 2].flatMap((before) => {
    const bits = (before + bytes.length) * 8;
    const coded = btoa("\0".repeat(before) + bytes).slice(Math.ceil((before * 8) / 6), Math.floor(bits / 6));
    return [coded, coded.replaceAll("+", "-").replaceAll("/", "_")];
  });
}

function findPieces(text: string, pieces: ReadonlyMap<number, ReadonlySet<string>>): Span[] {
  const spans: Span[] = [];
  let view: View | null = { text, from: null };
  for (let depth = 0; view !== null && depth <= MAX_ESCAPES; depth++) {
    const { text: seen, from }: View = view;
    const source = (at: number): number => from?.[at] ?? at;
    for (const [length, known] of pieces) {
      for (let at = 0; at + length <= seen.length; at++) {
        if (known.has(seen.slice(at, at + length))) spans.push([source(at), source(at + length)]);
      }
    }
    view = unescapeOnce(view);
  }
  return spans;
}

/** A text with escapes undone, and where each of its characters (and its end) was in the text that came. */
interface View {
  readonly text: string;
  /** null: where it is. */
  readonly from: readonly number[] | null;
}

const ESCAPE =
  /%([0-9a-f]{2})|\\u([0-9a-f]{4})|\\x([0-9a-f]{2})|\\([^ux])|&#x([0-9a-f]{1,5});|&#(\d{1,6});|&(amp|lt|gt|quot|apos);/gi;
const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

/** @returns null for a text without escapes */
function unescapeOnce({ text, from }: View): View | null {
  const parts: string[] = [];
  const places: number[] = [];
  let end = 0;
  const copyUntil = (until: number): void => {
    parts.push(text.slice(end, until));
    for (; end < until; end++) places.push(from?.[end] ?? end);
  };
  for (const match of text.matchAll(ESCAPE)) {
    const [whole, percent, unicode, hex, plain, entityHex, entityDecimal, entity = ""] = match;
    const code = Number.parseInt(percent ?? unicode ?? hex ?? entityHex ?? "", 16);
    const decoded = Number.isNaN(code)
      ? (plain ?? ENTITIES[entity.toLowerCase()] ?? String.fromCharCode(Number(entityDecimal)))
      : String.fromCharCode(code);
    copyUntil(match.index);
    parts.push(decoded);
    places.push(from?.[end] ?? end);
    end += whole.length;
  }
  if (end === 0) return null;
  copyUntil(text.length);
  places.push(from?.[end] ?? end);
  return { text: parts.join(""), from: places };
}

function replaceSpans(text: string, spans: readonly Span[]): string {
  if (spans.length === 0) return text;
  let result = "";
  let end = 0;
  for (const [start, stop] of spans.toSorted(([a], [b]) => a - b)) {
    if (start > end || end === 0) result += text.slice(end, start) + REDACTED;
    end = Math.max(end, stop);
  }
  return result + text.slice(end);
}

/** Of tokens and of their encodings: nothing that ends a string, a tag or a clause. */
const VALUE = "[A-Za-z0-9._~+/=*%-]";
const QUOTE = String.raw`(?:\\*["'])?`;
const LOGIN = "[^\\s/?#\"'<>\\\\`]{1,1024}@";

/** Each with the part that stays as its first group, and the value, where it has to look like a secret, as the second. */
const SHAPES: readonly RegExp[] = [
  // scheme://user:password@ and http://token@; ssh://git@ names nobody
  new RegExp(String.raw`\b(https?:(?:\\*/){2})${LOGIN}`, "gi"),
  new RegExp(String.raw`\b([a-z][a-z0-9+.-]{0,20}:(?:\\*/){2})(?=[^\s/@]*:)${LOGIN}`, "gi"),
  /((?:[?&]|&amp;|\\u0026)(?:(?:access|auth|refresh|id)[_-]?token|token|(?:x-)?api[_-]?key|key|secret|password|(?:x-amz-)?signature|sig)=)[^\s&"'<>\\#]+/gi,
  new RegExp(
    String.raw`\b(authorization${QUOTE}\s*[:=]\s*${QUOTE}(?:bearer|basic|digest|token)\s+)${VALUE}{4,}`,
    "gi",
  ),
  new RegExp(String.raw`\b(authorization${QUOTE}\s*[:=]\s*${QUOTE})(${VALUE}{8,})`, "gi"),
  new RegExp(String.raw`\b((?:bearer|basic)\s+)(${VALUE}{8,})`, "gi"),
  new RegExp(String.raw`\b(api[_-]?key${QUOTE}\s*[:=]\s*${QUOTE}|--api-key\s+)(${VALUE}{6,})`, "gi"),
  // OpenAI's and Hugging Face's own; what stands before them may be escaped
  /((?<![A-Za-z0-9_-])|(?<=%[0-9a-f]{2}|\\[nrt]|\\u[0-9a-f]{4}))sk-[A-Za-z0-9_*-]{12,}/gi,
  /((?<![A-Za-z0-9_-])|(?<=%[0-9a-f]{2}|\\[nrt]|\\u[0-9a-f]{4}))hf_[A-Za-z0-9]{16,}/gi,
];

const redactShapes = (text: string): string =>
  SHAPES.reduce(
    (result, shape) =>
      result.replace(shape, (whole: string, kept: string, value: unknown) => {
        if (typeof value === "string" && !looksRandom(value)) return whole; // without a second group: a position
        return `${kept}${REDACTED}${whole.endsWith("@") ? "@" : ""}`;
      }),
    text,
  );

/** "Bearer authentication" and "api_key: required" are words. */
const looksRandom = (value: string): boolean =>
  /\d/.test(value) || /[a-z][A-Z]/.test(value) || value.length >= 24;
