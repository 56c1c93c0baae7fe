/**
 * The confidence that a model states in words: the last of "Confidence: 85%", "Probability: 0.85",
 * "I am 85% sure", "80 percent confident", "confidence of 7/10". A bare number above 1 is a percentage; one of at
 * most 1 is a probability.
 * @returns in [0, 1]; null where no confidence is stated, or one that cannot be (120%, 11/10)
 * @see Tian et al. 2023, "Just ask for calibration"; Lin et al. 2022, "Teaching models to express their uncertainty"
 */
export function verbalisedConfidence(text: string): number | null {
  const found = PATTERNS.flatMap((pattern) => [...text.matchAll(pattern)])
    .sort((a, b) => a.index - b.index)
    .at(-1)?.groups;
  if (found === undefined) return null;
  const number = Number((found.number as string).replace(",", "."));
  const scale =
    found.unit !== undefined ? 100 : found.of !== undefined ? Number(found.of) : number > 1 ? 100 : 1;
  const confidence = number / scale;
  return scale > 0 && confidence <= 1 ? confidence : null;
}

// Runs of digits, spaces and what stands in brackets are bounded: unbounded, a text of nothing else would take the square
// of its length.
const NUMBER =
  "(?<number>\\d{1,9}(?:[.,]\\d{1,100}(?!\\d)|(?!\\d|[.,]\\d{101})))\\s{0,20}(?:(?<unit>%|percent|per cent)|/\\s{0,20}(?<of>10|100)\\b)?";
const PATTERNS: readonly RegExp[] = [
  // Confidence: 85%   Probability (0 to 1) = 0.85   confidence level is about 7/10
  new RegExp(
    `\\b(?:confidence|probability|certainty)\\b(?:\\s{0,20}\\([^)]{0,200}\\))?(?:\\s{1,20}(?:level|score|rating|estimate))?` +
      `[\\s*_]{0,20}(?::|=|is|of)[\\s*_]{0,20}(?:about|around|approximately|roughly|~)?\\s{0,20}${NUMBER}`,
    "gi",
  ),
  // 85% confident   80 percent sure
  /(?<!\d)(?<number>\d{1,9}(?:[.,]\d{1,100})?)\s{0,20}(?<unit>%|percent|per cent)\s{0,20}(?:confident|sure|certain)\b/gi,
];
