import type { TracePosition } from "../engine/places.ts";

/**
 * When a score is known: before the first token is sampled, once the reasoning is closed, or once the answer is written. A
 * probe is compared with scores that are known no later than itself.
 */
export const MOMENTS = ["before", "during", "after"] as const;
export type Moment = (typeof MOMENTS)[number];

/** What a score is. */
export interface ScoreInfo {
  /** In tables and figures. */
  readonly title: string;
  /** Within a sentence. */
  readonly phrase: string;
  /**
   * What it is made of. probe: hidden states. confidence: the model's own probabilities for one answer. form: lengths and texts, which
   * should not tell right from wrong. combined: all confidence and form that is known at a moment, in one logistic regression.
   * sampling: further samples of the answer, or another pass of the model.
   */
  readonly kind: "probe" | "confidence" | "form" | "combined" | "sampling";
  /** null for probes: when they are known depends on the position that they read. */
  readonly moment: Moment | null;
}

/** Every score that is evaluated against incorrectness, in the order of tables. */
const INFO = {
  accuracy_probe: { title: "Accuracy probe", phrase: "the accuracy probe", kind: "probe", moment: null },
  se_probe: { title: "SE probe", phrase: "the SE probe", kind: "probe", moment: null },
  question_length: { title: "Question length", phrase: "question length", kind: "form", moment: "before" },
  question_text: {
    title: "Question text",
    phrase: "the text of the question",
    kind: "form",
    moment: "before",
  },
  first_token_entropy: {
    title: "First-token entropy",
    phrase: "first-token entropy",
    kind: "confidence",
    moment: "before",
  },
  combined_before: {
    title: "Combined baseline, before",
    phrase: "the combined baseline",
    kind: "combined",
    moment: "before",
  },
  entropy_baseline: {
    title: "Entropy baseline",
    phrase: "the entropy baseline",
    kind: "confidence",
    moment: "during",
  },
  combined_during: {
    title: "Combined baseline, during",
    phrase: "the combined baseline",
    kind: "combined",
    moment: "during",
  },
  answer_length: { title: "Answer length", phrase: "answer length", kind: "form", moment: "after" },
  answer_text: { title: "Answer text", phrase: "the text of the answer", kind: "form", moment: "after" },
  answer_nll: {
    title: "Answer log-likelihood",
    phrase: "the log-likelihood of the answer",
    kind: "confidence",
    moment: "after",
  },
  mean_nll: {
    title: "Mean log-probability",
    phrase: "mean log-probability",
    kind: "confidence",
    moment: "after",
  },
  max_nll: {
    title: "Minimum log-probability",
    phrase: "minimum log-probability",
    kind: "confidence",
    moment: "after",
  },
  mean_token_entropy: {
    title: "Mean token entropy",
    phrase: "mean token entropy",
    kind: "confidence",
    moment: "after",
  },
  max_token_entropy: {
    title: "Maximum token entropy",
    phrase: "maximum token entropy",
    kind: "confidence",
    moment: "after",
  },
  combined_after: {
    title: "Combined baseline, after",
    phrase: "the combined baseline of the whole answer",
    kind: "combined",
    moment: "after",
  },
  naive_entropy: { title: "Naive entropy", phrase: "naive entropy", kind: "sampling", moment: "after" },
  semantic_entropy: {
    title: "Semantic entropy",
    phrase: "semantic entropy",
    kind: "sampling",
    moment: "after",
  },
  discrete_semantic_entropy: {
    title: "Discrete semantic entropy",
    phrase: "discrete semantic entropy",
    kind: "sampling",
    moment: "after",
  },
  p_false: { title: "p(True)", phrase: "p(True)", kind: "sampling", moment: "after" },
} as const satisfies Readonly<Record<string, ScoreInfo>>;

/** Name of a score in `probe_eval.json`; a higher value always means more uncertain. */
export type ScoreName = keyof typeof INFO;

/** Names of the scores evaluated against incorrectness. */
export const SCORE_NAMES: readonly ScoreName[] = Object.keys(INFO) as ScoreName[];

/** Scores of the probes and of what they predict, which a study's data sets have; the others are made from its answers. */
export const STUDY_SCORE_NAMES = [
  "accuracy_probe",
  "se_probe",
  "entropy_baseline",
  "semantic_entropy",
  "discrete_semantic_entropy",
] as const satisfies readonly ScoreName[];
export type StudyScoreName = (typeof STUDY_SCORE_NAMES)[number];

/** What each score is. */
export const SCORE_INFO: Readonly<Record<ScoreName, ScoreInfo>> = INFO;

/** The two scores that read hidden states. */
export const PROBE_NAMES = ["accuracy_probe", "se_probe"] as const;
export type ProbeName = (typeof PROBE_NAMES)[number];

/** The logistic regressions of all that is known at a moment without hidden states or further samples. */
export const COMBINED_NAMES = {
  before: "combined_before",
  during: "combined_during",
  after: "combined_after",
} as const satisfies Readonly<Record<Moment, ScoreName>>;

/** When each probe of a study is known. */
export type ProbeMoments = Readonly<Record<ProbeName, Moment>>;

/** @param position null for a probe that was not trained: as late as can be */
export function momentOf(position: TracePosition | string | null): Moment {
  if (position === "before-generation") return "before";
  return position === "think-end" ? "during" : "after";
}

/** Whether a score is known no later than a moment. */
export const isKnownBy = (score: ScoreName, moment: Moment): boolean =>
  MOMENTS.indexOf(INFO[score].moment ?? "after") <= MOMENTS.indexOf(moment);
