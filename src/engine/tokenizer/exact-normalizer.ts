import { readCharsmap } from "./charsmap.ts";

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
