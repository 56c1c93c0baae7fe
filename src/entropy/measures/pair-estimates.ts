import { HEAT_KERNEL, kernelLanguageEntropy, MATERN_KERNEL, semanticGraph } from "../graph-measures.ts";
import {
  type Agreement,
  answerInconsistency,
  cosineAgreement,
  countSemanticSets,
  exactMatch,
  lexicalSimilarity,
  luq,
  mutualEntailment,
  noncontradiction,
  selfCheckNli,
  semanticDensity,
  sentenceSar,
} from "../pair-measures.ts";
import type { QuestionSamples } from "../question-samples.ts";
import { type Estimate, type EstimateNeed, known } from "./estimate.ts";

const NIKITIN = "Nikitin et al. 2024";

/** Estimates over pairs of answers. p_ij: the NLI model's probabilities for answer j given answer i. */
export const PAIR_ESTIMATES: readonly Estimate[] = [
  {
    name: "lexical_similarity",
    title: "Lexical similarity, ROUGE-L",
    formula: "-mean_{i<j} ROUGE-L(a_i, a_j)",
    needs: [],
    range: "-1 to 0",
    published: "minus",
    source: "Fomicheva et al. 2020; `LexicalSimilarity_rougeL` of lm-polygraph",
    checkedAgainst: "lm-polygraph",
    compute: ({ answers }) => lexicalSimilarity(answers),
  },
  {
    name: "semantic_sets",
    title: "Number of semantic sets",
    formula: "components of the graph with entailment above contradiction both ways",
    needs: ["entailment"],
    range: "1 to K",
    published: "same",
    source: "Lin et al. 2024; `NumSemSets` of lm-polygraph",
    checkedAgainst: "lm-polygraph",
    compute: (samples) => countSemanticSets(known(samples, "entailment")),
  },
  {
    name: "luq",
    title: "LUQ on whole answers",
    formula: "1 - mean_{i != j} p_ij(entail) / (p_ij(entail) + p_ij(contra))",
    needs: ["entailment"],
    range: "0 to 1",
    published: "same",
    source: "Zhang et al. 2024; `LUQ` of lm-polygraph",
    checkedAgainst: "lm-polygraph",
    compute: (samples) => luq(known(samples, "entailment")),
  },
  {
    name: "kernel_language_entropy_heat",
    title: "Kernel language entropy, heat kernel",
    formula: "von Neumann entropy of exp(-0.3 L) / ln K, most probable verdicts",
    needs: ["entailment"],
    range: "0 to 1",
    published: "same",
    source: NIKITIN,
    checkedAgainst: "formula in Python",
    compute: (samples) => kernelLanguageEntropy(semanticGraph(known(samples, "entailment")), HEAT_KERNEL),
  },
  {
    name: "kernel_language_entropy_matern",
    title: "Kernel language entropy, Matérn kernel",
    formula: "von Neumann entropy of (2 I + L)^-1 / ln K, most probable verdicts",
    needs: ["entailment"],
    range: "0 to 1",
    published: "same",
    source: NIKITIN,
    checkedAgainst: "formula in Python",
    compute: (samples) => kernelLanguageEntropy(semanticGraph(known(samples, "entailment")), MATERN_KERNEL),
  },
  {
    name: "kernel_language_entropy_soft",
    title: "Kernel language entropy, heat kernel on probabilities",
    formula: "von Neumann entropy of exp(-0.3 L) / ln K, probabilities of verdicts",
    needs: ["entailment"],
    range: "0 to 1",
    published: "same",
    source: `${NIKITIN}; \`KernelLanguageEntropy\` of lm-polygraph`,
    checkedAgainst: "lm-polygraph",
    compute: (samples) =>
      kernelLanguageEntropy(semanticGraph(known(samples, "entailment"), { soft: true }), HEAT_KERNEL),
  },
  {
    name: "semantic_density",
    title: "Semantic density of the main answer",
    formula: "-sum_i p_i k_i / sum_i p_i, k_i = 1 - p_mi(contra) - p_mi(neutral)/2, p_i = exp l_i",
    needs: ["entailment", "mean_logprobs", "main_answer"],
    range: "-1 to 0",
    published: "minus",
    source: "Qiu and Miikkulainen 2024; `SemanticDensity` of lm-polygraph, `semantic_density` of uqlm",
    checkedAgainst: "lm-polygraph, uqlm",
    compute: densityOfMainAnswer,
  },
  {
    name: "selfcheck_nli",
    title: "SelfCheck-NLI of the main answer",
    formula: "mean over sentences s, samples i: p_si(contra) / (p_si(entail) + p_si(contra))",
    needs: ["sentence_verdicts"],
    range: "0 to 1",
    published: "same",
    source: "Manakul et al. 2023",
    checkedAgainst: "formula in Python",
    compute: (samples) => selfCheckNli(known(samples, "sentence_verdicts")),
  },
  inconsistency("noncontradiction", "contradict", "entailment", (samples) =>
    noncontradiction(known(samples, "entailment")),
  ),
  inconsistency("entailment", "do not entail", "entailment", (samples) =>
    mutualEntailment(known(samples, "entailment")),
  ),
  inconsistency("exact_match", "differ from", null, () => exactMatch),
  inconsistency("cosine_sim", "are unlike", "similarity", (samples) =>
    cosineAgreement(known(samples, "similarity")),
  ),
  {
    name: "sentence_sar",
    title: "SentenceSAR",
    formula: "-mean_i ln (exp s_i + sum_{j != i} exp(s_j) g_ij / 0.001)",
    needs: ["similarity", "sequence_logprobs"],
    range: "nats",
    published: "same",
    source: "Duan et al. 2024; `SentenceSAR` of lm-polygraph",
    checkedAgainst: "lm-polygraph",
    compute: (samples) => sentenceSar(known(samples, "sequence_logprobs"), known(samples, "similarity")),
  },
];

/** 1 minus one of uqlm's black-box scorers. */
function inconsistency(
  scorer: string,
  verb: string,
  need: EstimateNeed | null,
  agreement: (samples: QuestionSamples) => Agreement,
): Estimate {
  return {
    name: `${scorer}_inconsistency`,
    title: `How far the samples ${verb} the main answer`,
    formula: "1 - mean_{i != m} agreement(m, i)",
    needs: need === null ? ["main_answer"] : [need, "main_answer"],
    range: "0 to 1",
    published: "one-minus",
    source: `\`${scorer}\` of uqlm`,
    checkedAgainst: "uqlm",
    compute: (samples) =>
      answerInconsistency(samples.answers, known(samples, "main_answer"), agreement(samples)),
  };
}

/** Each different answer once, by the first sample that gave it. */
function densityOfMainAnswer(samples: QuestionSamples): number {
  const main = known(samples, "main_answer");
  const verdicts = known(samples, "entailment")[main]!;
  const logprobs = known(samples, "mean_logprobs");
  const others = [...samples.answers.keys()].filter(
    (i) => samples.answers.indexOf(samples.answers[i]!) === i && samples.answers[i] !== samples.answers[main],
  );
  return semanticDensity(
    [logprobs[main]!, ...others.map((i) => logprobs[i]!)],
    [{ neutral: 0, contradiction: 0 }, ...others.map((i) => verdicts[i]!)],
  );
}
