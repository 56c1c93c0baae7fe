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

const NUMBER = "(?<number>\\d+(?:[.,]\\d+)?)\\s*(?:(?<unit>%|percent|per cent)|/\\s*(?<of>10|100)\\b)?";
const PATTERNS: readonly RegExp[] = [
  // Confidence: 85%   Probability (0 to 1) = 0.85   confidence level is about 7/10
  new RegExp(
    `\\b(?:confidence|probability|certainty)\\b(?:\\s*\\([^)]*\\))?(?:\\s+(?:level|score|rating|estimate))?` +
      `[\\s*_]*(?::|=|is|of)[\\s*_]*(?:about|around|approximately|roughly|~)?\\s*${NUMBER}`,
    "gi",
  ),
  // 85% confident   80 percent sure
  /(?<number>\d+(?:[.,]\d+)?)\s*(?<unit>%|percent|per cent)\s*(?:confident|sure|certain)\b/gi,
];
