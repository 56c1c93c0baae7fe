/** A normaliser of `@huggingface/tokenizers`, which is a function with properties. */
export interface LibraryNormalizer {
  (text: string): string;
  normalize(text: string): string;
  /** Of a sequence. */
  normalizers?: (LibraryNormalizer | null)[];
}

/**
 * A tokenizer's normaliser with its `Precompiled` parts computed by their own tables. The library stands in for them
 * with Unicode's NFKC, which differs for joined emoji and stacked accents.
 * @param stated as in `tokenizer.json`
 * @param built  what the library made of it; a sequence is changed
 * @throws RangeError if a table is damaged
 */
export function withExactCharsmaps(
  stated: unknown,
  built: LibraryNormalizer | null,
): LibraryNormalizer | null {
  const { type, normalizers, precompiled_charsmap: charsmap } = (stated ?? {}) as Record<string, unknown>;
  if (type === "Precompiled" && typeof charsmap === "string") {
    const normalize = readCharsmap(charsmap);
    return Object.assign((text: string) => normalize(text), { normalize });
  }
  if (built?.normalizers !== undefined && Array.isArray(normalizers)) {
    built.normalizers = built.normalizers.map((part, index) => withExactCharsmaps(normalizers[index], part));
  }
  return built;
}

/** A SentencePiece model's own normalisation of text, as `tokenizer.json` has it in a `Precompiled` normaliser. */
type Charsmap = (text: string) => string;

/**
 * Reads a compiled table of replacements: the length of a trie in bytes, the trie, and the replacements' UTF-8 texts,
 * each ended by a zero. Each grapheme shorter than six bytes is looked up as a whole, else character by character,
 * as Rust's tokenizers do, which trained models are used with.
 * @param base64 the table
 * @throws RangeError if it is damaged
 * @see sentencepiece's normalizer.cc; the trie is a double array as of the library Darts-clone
 */
export function readCharsmap(base64: string): Charsmap {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  const trieBytes = bytes.length < 4 ? -1 : view.getUint32(0, true);
  if (trieBytes % 4 !== 0 || 4 + trieBytes > bytes.length) {
    throw new RangeError(`precompiled_charsmap has ${bytes.length} bytes and states a trie of ${trieBytes}`);
  }
  const units = Uint32Array.from({ length: trieBytes / 4 }, (_, index) =>
    view.getUint32(4 + 4 * index, true),
  );
  const texts = bytes.subarray(4 + trieBytes);
  const replace = (part: string): string | null => {
    const place = findShortestPrefix(units, UTF8.encode(part));
    if (place === null) return null;
    const end = texts.indexOf(0, place);
    return TEXT.decode(texts.subarray(place, end === -1 ? texts.length : end));
  };
  const known = new Map<string, string>();
  const replaceGrapheme = (grapheme: string): string => {
    const whole = UTF8.encode(grapheme).length < MAX_GRAPHEME_BYTES ? replace(grapheme) : null;
    return whole ?? Array.from(grapheme, (character) => replace(character) ?? character).join("");
  };
  const segmenter = new Intl.Segmenter("en", { granularity: "grapheme" });
  return (text) => {
    if (PLAIN.test(text)) return text;
    let normalized = "";
    for (const { segment } of segmenter.segment(text)) {
      let replaced = known.get(segment);
      if (replaced === undefined) {
        replaced = replaceGrapheme(segment);
        if (known.size < MAX_KNOWN) known.set(segment, replaced);
      }
      normalized += replaced;
    }
    return normalized;
  };
}

const UTF8 = new TextEncoder();
/** A byte order mark is text here, as in SentencePiece. */
const TEXT = new TextDecoder("utf-8", { ignoreBOM: true });

const MAX_GRAPHEME_BYTES = 6;
/** Graphemes that are kept with their replacements; a text of any language has fewer. */
const MAX_KNOWN = 20_000;
/** What no table replaces: printable ASCII. */
const PLAIN = /^[ -~]*$/;

/** @returns the value of the shortest key that `part` begins with; null if there is none */
function findShortestPrefix(units: Uint32Array, part: Uint8Array): number | null {
  let node = offsetOf(units[0] ?? 0);
  for (const byte of part) {
    node ^= byte;
    const unit = units[node];
    if (unit === undefined || (unit & LABEL) >>> 0 !== byte) return null;
    node ^= offsetOf(unit);
    if ((unit >>> 8) & 1) return ((units[node] ?? 0) & VALUE) >>> 0;
  }
  return null;
}

/** Of an inner unit: its byte, and the bit that leaves have set. */
const LABEL = 0x800000ff;
/** Of a leaf. */
const VALUE = 0x7fffffff;

const offsetOf = (unit: number): number => (unit >>> 10) << ((unit & 0x200) >>> 6);
