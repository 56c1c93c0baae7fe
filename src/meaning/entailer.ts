import type { Classification, TextClassifier } from "../checkpoint/encoders/load-text-classifier.ts";
import { SepError } from "../errors.ts";
import { hashBytes } from "../formats/hash-bytes.ts";
import { type Json, stableStringify } from "../formats/json.ts";

/** Probabilities that the premise entails the hypothesis, leaves it open, or contradicts it; they sum to 1. */
export interface EntailmentProbs {
  readonly entailment: number;
  readonly neutral: number;
  readonly contradiction: number;
}

export interface EntailmentVerdict extends EntailmentProbs {
  /** The pair was longer than the model accepts and was truncated. */
  readonly truncated: boolean;
}

/** Tells how far one text follows from another. */
export interface Entailer extends AsyncDisposable {
  /** The model's name as the user gave it. */
  readonly name: string;
  /** Everything that determines its verdicts, for the provenance of artifacts. */
  readonly provenance: Json;
  /** SHA-256 of what determines its verdicts: equal ones give equal verdicts, whatever the model is called. */
  readonly fingerprint: string;
  /**
   * false for a model that knows entailment and its absence only: `neutral` is then the probability of its absence and
   * `contradiction` is 0, and a rule that asks for contradictions cannot be used.
   */
  readonly tellsContradiction: boolean;
  /**
   * @param pairs [N] ordered; equal ones are computed once
   * @returns [N]
   */
  classify(
    pairs: readonly (readonly [premise: string, hypothesis: string])[],
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<readonly EntailmentVerdict[]>;
}

export interface ClassifierEntailerOptions {
  readonly labels?: readonly NliLabel[] | undefined;
  /** Test the classifier with known pairs; not for benchmarks, whose weights are random. */
  readonly selfTest?: boolean | undefined;
}

/** Raised when the same model would give other verdicts; cached verdicts are then computed again. */
const ARITHMETIC = 1;

/**
 * An entailer on a classifier, which it disposes of.
 * @throws SepError `bad-nli-model`
 */
export async function createClassifierEntailer(
  classifier: TextClassifier,
  { labels: stated, selfTest = true }: ClassifierEntailerOptions = {},
): Promise<Entailer> {
  const { provenance } = classifier;
  const labels = readNliLabels(provenance.id, stated ?? classifier.labels);
  if (labels.length !== classifier.labels.length) {
    throw new SepError(
      "bad-nli-model",
      `${provenance.id} has ${classifier.labels.length} logits, and \`labels\` names ${labels.length}: ${labels.join(", ")}.`,
    );
  }
  const { weights_sha256, tokenizer_sha256, dtype, max_tokens } = provenance;
  const identity = { weights_sha256, tokenizer_sha256, dtype, max_tokens, labels, arithmetic: ARITHMETIC };
  const entailer: Entailer = {
    name: provenance.id,
    provenance: { ...provenance, labels } satisfies Json,
    fingerprint: await hashBytes(new TextEncoder().encode(stableStringify(identity))),
    tellsContradiction: labels.includes("contradiction"),
    async classify(pairs, options) {
      const classified = await classifier.classify(pairs, options);
      return classified.map((classification) => readVerdict(classification, labels));
    },
    [Symbol.asyncDispose]: () => classifier[Symbol.asyncDispose](),
  };
  if (selfTest) await testEntailer(entailer);
  return entailer;
}

function readVerdict({ logits, truncated }: Classification, labels: readonly NliLabel[]): EntailmentVerdict {
  const largest = Math.max(...logits);
  const weights = Array.from(logits, (logit) => Math.exp(logit - largest));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const of = (label: NliLabel): number => (weights[labels.indexOf(label)] ?? 0) / total;
  return {
    entailment: of("entailment"),
    neutral: of("neutral") + of("not-entailment"),
    contradiction: of("contradiction"),
    truncated,
  };
}

/** Simple enough for any English NLI model. */
const ENTAILING = [
  "A man is playing a guitar on a stage in front of a crowd.",
  "A man is playing an instrument.",
] as const;
const CONTRADICTING = ["The shop is closed on Sundays.", "The shop is open on Sundays."] as const;

/**
 * Classifies two known pairs: labels in the wrong order, or premise and hypothesis swapped, would silently invert every
 * verdict.
 * @throws SepError `bad-nli-model`
 */
export async function testEntailer({ name, tellsContradiction, classify }: Entailer): Promise<void> {
  const [first, second] = (await classify([ENTAILING, CONTRADICTING])) as [
    EntailmentVerdict,
    EntailmentVerdict,
  ];
  const denied = tellsContradiction ? second.contradiction : second.neutral;
  if (first.entailment > 0.5 && denied > 0.5) return;
  const show = ({ entailment, neutral, contradiction }: EntailmentVerdict): string =>
    `entailment ${entailment.toFixed(3)}, neutral ${neutral.toFixed(3)}, contradiction ${contradiction.toFixed(3)}`;
  throw new SepError(
    "bad-nli-model",
    `${name} fails its self-test. "${ENTAILING[0]}" -> "${ENTAILING[1]}" got ${show(first)}, expected entailment; "${CONTRADICTING[0]}" -> "${CONTRADICTING[1]}" got ${show(second)}, expected ${tellsContradiction ? "contradiction" : "no entailment"}. Its labels are in a different order than its config says, or it is not an NLI model for English.`,
  );
}

const NLI_LABELS = ["entailment", "neutral", "contradiction", "not-entailment"] as const;
/** What a logit of an NLI model stands for. */
export type NliLabel = (typeof NLI_LABELS)[number];

/** Spellings of the public checkpoints, in lower case with hyphens. */
const SPELLINGS: Readonly<Record<string, NliLabel>> = {
  entailment: "entailment",
  neutral: "neutral",
  contradiction: "contradiction",
  "not-entailment": "not-entailment",
  "non-entailment": "not-entailment",
};

/**
 * What each logit of an NLI model stands for. Public checkpoints have the labels in three orders, so the names decide.
 * @param names of the model's labels, in the order of its logits
 * @throws SepError `bad-nli-model` unless they are entailment, neutral and contradiction, or entailment and its absence
 */
export function readNliLabels(model: string, names: readonly string[]): readonly NliLabel[] {
  const labels = names.map(
    (name) =>
      SPELLINGS[
        name
          .trim()
          .toLowerCase()
          .replaceAll(/[_\s]+/g, "-")
      ],
  );
  const found = labels.filter((label) => label !== undefined);
  if (found.length === names.length && isComplete(found)) return found;
  const unnamed = names.every((name) => /^label[_ ]?\d+$/i.test(name))
    ? " Its config does not say what they mean: the model's page may, and then the option `labels` tells it here, in the order of the logits."
    : " Is it an NLI model?";
  throw new SepError(
    "bad-nli-model",
    `${model} has the labels ${names.join(", ")}, expected entailment, neutral and contradiction, or entailment and not_entailment.${unnamed}`,
  );
}

function isComplete(labels: readonly NliLabel[]): boolean {
  const set = labels.toSorted().join();
  return set === "contradiction,entailment,neutral" || set === "entailment,not-entailment";
}
