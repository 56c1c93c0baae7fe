/** The sentences of a text by Unicode's rules (UAX 29), trimmed; none for a blank text. */
export function splitSentences(text: string): string[] {
  const segments = new Intl.Segmenter("en", { granularity: "sentence" }).segment(text);
  return [...segments].map(({ segment }) => segment.trim()).filter((sentence) => sentence !== "");
}
