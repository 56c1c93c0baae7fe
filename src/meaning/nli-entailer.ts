import type { LoadEncoderOptions } from "../checkpoint/encoders/load-encoder.ts";
import {
  type Classification,
  loadTextClassifier,
  type TextClassifier,
} from "../checkpoint/encoders/load-text-classifier.ts";
import { SepError } from "../errors.ts";
import { type Json, stableStringify } from "../formats/json.ts";
import { fingerprint } from "../store/fingerprint.ts";
import type { Entailer, EntailmentVerdict } from "./entailer.ts";
import { type NliLabel, readNliLabels } from "./nli-labels.ts";

/** Small enough for a processor, and among the best of its size on NLI. */
export const DEFAULT_NLI_MODEL = "cross-encoder/nli-deberta-v3-small";

/** Short names that other programs use. */
const ALIASES: Readonly<Record<string, string>> = { "deberta-v3-small-mnli": DEFAULT_NLI_MODEL };

/** What a model reference stands for: a short name's model, or the reference itself. */
export const resolveNliModel = (reference: string): string => ALIASES[reference] ?? reference;

export interface NliEntailerOptions extends LoadEncoderOptions {
  /** What each logit stands for, where the model's config does not name its labels. */
  readonly labels?: readonly NliLabel[] | undefined;
}

/**
 * Loads an NLI model, and tests it with two known pairs.
 * @param reference a folder, a model of the hub, or a short name
 * @throws SepError `bad-nli-model` if its labels cannot be read or it judges the known pairs wrongly, and as
 *   `loadTextClassifier`
 */
export async function createNliEntailer(
  reference: string = DEFAULT_NLI_MODEL,
  { labels, ...options }: NliEntailerOptions = {},
): Promise<Entailer> {
  const classifier = await loadTextClassifier(resolveNliModel(reference), options);
  try {
    return await createClassifierEntailer(classifier, { labels });
  } catch (error) {
    await classifier[Symbol.asyncDispose]();
    throw error;
  }
}

export interface ClassifierEntailerOptions {
  readonly labels?: readonly NliLabel[] | undefined;
  /** Test the classifier with known pairs; not for benchmarks, whose weights are random. */
  readonly selfTest?: boolean | undefined;
}

/** Changes when the same model would give other verdicts: verdicts that are kept elsewhere are then computed anew. */
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
    fingerprint: fingerprint(stableStringify(identity)),
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

/** Plain enough for any NLI model that reads English. */
const ENTAILING = [
  "A man is playing a guitar on a stage in front of a crowd.",
  "A man is playing an instrument.",
] as const;
const CONTRADICTING = ["The shop is closed on Sundays.", "The shop is open on Sundays."] as const;

/**
 * Judges two known pairs: labels in a wrong order, or premise and hypothesis taken for each other, turn every verdict
 * around in silence.
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
    `${name} fails its self-test. "${ENTAILING[0]}" -> "${ENTAILING[1]}" got ${show(first)}, expected entailment; "${CONTRADICTING[0]}" -> "${CONTRADICTING[1]}" got ${show(second)}, expected ${tellsContradiction ? "contradiction" : "no entailment"}. Its labels are in another order than its config says, or it is no NLI model for English.`,
  );
}
