import type { SamplerSettings } from "./sampler-settings.ts";

/** Settings that shape the distribution of one token. */
export type TokenFilters = Pick<
  SamplerSettings,
  "temperature" | "topP" | "topK" | "minP" | "repetitionPenalty"
>;

/**
 * Draws the next token. The order is that of Python transformers: repetition penalty, temperature, top-k (ties
 * with the k-th kept), top-p, min-p; each filter sees what the one before it left.
 * @param logits [V] raw, left as they are
 * @param seen token ids of prompt and answer so far, for the repetition penalty
 * @param uniform random number in [0, 1); not used when the temperature is 0
 * @param mass of the raw logits at this temperature where it is known; it is summed here where it is not
 * @returns a token id; at temperature 0 the most likely one, the lowest id among equals
 * @see Holtzman et al. 2020 (top-p); Keskar et al. 2019, section 4.1 (repetition penalty); Nguyen et al. 2024 (min-p)
 */
export function chooseToken(
  logits: Float32Array,
  filters: TokenFilters,
  seen: ReadonlySet<number>,
  uniform: number,
  mass: VocabularyMass | null = null,
): number {
  const scores = penalise(logits, filters.repetitionPenalty, seen);
  if (filters.temperature === 0) return argmax(scores);
  const own = mass !== null && scores === logits ? mass : sumMass(scores, filters.temperature);
  const kept = keptTokens(scores, filters, own);
  return kept === null ? drawFromAll(scores, filters.temperature, uniform, own) : draw(kept, uniform);
}

/** The weights of a whole vocabulary, summed. */
export interface VocabularyMass {
  /** The highest score. */
  readonly highest: number;
  /** Sum of exp((score - highest) / temperature), >= 1. */
  readonly total: number;
}

/** A token that the filters kept, and its weight relative to the most likely one. */
export interface KeptToken {
  readonly id: number;
  /** exp((score - highest score) / temperature), in (0, 1] */
  readonly weight: number;
}

/**
 * The tokens that top-k, top-p and min-p keep, most likely first (equals by id).
 * @returns null when no filter is on
 */
export function keptTokens(
  scores: Float32Array,
  { temperature, topK, topP, minP }: Omit<TokenFilters, "repetitionPenalty">,
  mass: VocabularyMass = sumMass(scores, temperature),
): readonly KeptToken[] | null {
  if (topK === 0 && topP >= 1 && minP === 0) return null;
  const byWeight = likelyTokens(scores, { temperature, topK, topP, minP }, mass);
  const afterTopK = topK > 0 && topK < byWeight.length ? cutTopK(byWeight, topK) : byWeight;
  const afterTopP =
    topP < 1 ? cutTopP(afterTopK, topP, topK > 0 ? weightOf(afterTopK) : mass.total) : afterTopK;
  return minP > 0 ? afterTopP.filter(({ weight }) => weight >= minP) : afterTopP;
}

/**
 * The most likely tokens, sorted: enough of them for the filters. Sorting a whole vocabulary costs more than a
 * forward pass of a small model, so a window below the highest score is widened until it holds what is needed.
 */
function likelyTokens(
  scores: Float32Array,
  { temperature, topK, topP, minP }: Omit<TokenFilters, "repetitionPenalty">,
  { highest, total }: VocabularyMass,
): KeptToken[] {
  const needed = topP < 1 && topK === 0 ? topP * total : 0;
  for (let window = FIRST_WINDOW; ; window *= 2) {
    const lowest = highest - window * temperature;
    const tokens: KeptToken[] = [];
    let weight = 0;
    for (let id = 0; id < scores.length; id++) {
      const score = scores[id] as number;
      if (score < lowest) continue;
      const token = { id, weight: Math.exp((score - highest) / temperature) };
      tokens.push(token);
      weight += token.weight;
    }
    const everything = tokens.length === scores.length || window > WIDEST_WINDOW;
    const enough =
      tokens.length >= topK && weight >= needed && (topK > 0 || topP < 1 || Math.exp(-window) < minP);
    if (everything || enough) return tokens.sort((a, b) => b.weight - a.weight || a.id - b.id);
  }
}

/** In units of the temperature: e^-8 = 3e-4 of the highest weight usually holds a nucleus of 0.9 or more. */
const FIRST_WINDOW = 8;
/** e^-800 is 0 in double precision: nothing below can be drawn. */
const WIDEST_WINDOW = 800;

function cutTopK(tokens: readonly KeptToken[], topK: number): readonly KeptToken[] {
  const lowest = (tokens[topK - 1] as KeptToken).weight;
  return tokens.filter(({ weight }) => weight >= lowest);
}

/** The fewest tokens, most likely first, whose share of `total` reaches `topP`; at least one. */
function cutTopP(tokens: readonly KeptToken[], topP: number, total: number): readonly KeptToken[] {
  let reached = 0;
  for (let count = 0; count < tokens.length; count++) {
    reached += (tokens[count] as KeptToken).weight;
    if (reached >= topP * total) return tokens.slice(0, count + 1);
  }
  return tokens;
}

function draw(kept: readonly KeptToken[], uniform: number): number {
  let rest = uniform * weightOf(kept);
  for (const { id, weight } of kept) {
    rest -= weight;
    if (rest < 0) return id;
  }
  return (kept[kept.length - 1] as KeptToken).id; // the rounding of the sum left a rest of about 1e-16
}

function drawFromAll(
  scores: Float32Array,
  temperature: number,
  uniform: number,
  { highest, total }: VocabularyMass,
): number {
  let rest = uniform * total;
  for (let id = 0; id < scores.length; id++) {
    rest -= Math.exp(((scores[id] as number) - highest) / temperature);
    if (rest < 0) return id;
  }
  return argmax(scores); // the rounding of the sum left a rest
}

const weightOf = (tokens: readonly KeptToken[]): number =>
  tokens.reduce((sum, { weight }) => sum + weight, 0);

function sumMass(scores: Float32Array, temperature: number): VocabularyMass {
  const highest = scores[argmax(scores)] as number;
  let total = 0;
  for (let id = 0; id < scores.length; id++) {
    total += Math.exp(((scores[id] as number) - highest) / temperature);
  }
  return { highest, total };
}

function argmax(scores: Float32Array): number {
  let best = 0;
  for (let id = 1; id < scores.length; id++) if ((scores[id] as number) > (scores[best] as number)) best = id;
  return best;
}

function penalise(logits: Float32Array, penalty: number, seen: ReadonlySet<number>): Float32Array {
  if (penalty === 1) return logits;
  const scores = Float32Array.from(logits);
  for (const id of seen) {
    const score = scores[id];
    if (score !== undefined) scores[id] = score < 0 ? score * penalty : score / penalty;
  }
  return scores;
}
