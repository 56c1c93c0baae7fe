import { SepError } from "../errors.ts";
import type { Entailer, EntailmentProbs, EntailmentVerdict } from "./entailer.ts";
import type { Equivalence } from "./equivalence.ts";

export interface NliEquivalenceOptions {
  readonly rule?: EntailmentRule | undefined;
  /** For the rule `threshold`: least probability of entailment, both ways. */
  readonly threshold?: number | undefined;
}

/** The papers' code has no such rule; pipelines that have it use this value. */
const DEFAULT_NLI_THRESHOLD = 0.6;

/**
 * The same meaning by bidirectional entailment: each answer, with its question in front, against the other.
 * @throws SepError `bad-option` for `lenient` with a model that does not tell contradictions
 * @see Farquhar et al. 2024, Methods, "Clustering by semantic equivalence"
 */
export function createNliEquivalence(
  entailer: Entailer,
  { rule = "strict", threshold = DEFAULT_NLI_THRESHOLD }: NliEquivalenceOptions = {},
): Equivalence {
  if (rule === "lenient" && !entailer.tellsContradiction) {
    throw new SepError(
      "bad-option",
      `The rule lenient needs contradictions, but ${entailer.name} has only the labels entailment and not_entailment. Use the rule strict or threshold, or a model with three labels.`,
    );
  }
  return {
    name: "nli",
    provenance: {
      name: "nli",
      version: 1,
      rule,
      threshold: rule === "threshold" ? threshold : null,
      model: entailer.provenance,
    },
    async compare(pairs, options) {
      const statements = pairs.flatMap(({ question, first, second }) => {
        const [a, b] = [statementOf(question, first), statementOf(question, second)] as const;
        return [[a, b] as const, [b, a] as const];
      });
      const probs = await entailer.classify(statements, options);
      return pairs.map((_, i) => {
        const [forward, backward] = probs.slice(2 * i, 2 * i + 2) as [EntailmentVerdict, EntailmentVerdict];
        const same =
          rule === "threshold"
            ? forward.entailment >= threshold && backward.entailment >= threshold
            : sameByLabels(rule, likeliestLabel(forward), likeliestLabel(backward));
        return { same, rule: "nli", forward, backward };
      });
    },
  };
}

/** What an NLI model reads for an answer: on its own, "Paris" entails nothing. @param question "" for none */
export const statementOf = (question: string, answer: string): string =>
  question === "" ? answer : `${question} ${answer}`;

/**
 * When two answers mean the same, by what entails what: `strict`, each entails the other; `lenient`, neither
 * contradicts the other, and they are not neutral both ways; `threshold`, both probabilities of entailment are at
 * least a given one.
 * @see Farquhar et al. 2024 (strict); Kuhn et al. 2023 and its code (lenient)
 */
export const ENTAILMENT_RULES = ["strict", "lenient", "threshold"] as const;
export type EntailmentRule = (typeof ENTAILMENT_RULES)[number];

export type EntailmentLabel = "entailment" | "neutral" | "contradiction";

/** `strict` or `lenient` on the likeliest label of each direction. */
export function sameByLabels(
  rule: Exclude<EntailmentRule, "threshold">,
  forward: EntailmentLabel | null,
  backward: EntailmentLabel | null,
): boolean {
  if (rule === "strict") return forward === "entailment" && backward === "entailment";
  if (forward === null || backward === null) return false;
  const contradicts = forward === "contradiction" || backward === "contradiction";
  return !contradicts && (forward === "entailment" || backward === "entailment");
}

/** Ties go to the more cautious label: contradiction, then neutral, then entailment. */
export function likeliestLabel({ entailment, neutral, contradiction }: EntailmentProbs): EntailmentLabel {
  if (contradiction >= neutral && contradiction >= entailment) return "contradiction";
  return neutral >= entailment ? "neutral" : "entailment";
}
