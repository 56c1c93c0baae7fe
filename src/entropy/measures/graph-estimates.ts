import {
  cosineAffinity,
  degreeMatrixUncertainty,
  eccentricity,
  eigenvalueCount,
  entailmentAffinity,
  jaccardAffinity,
  nonContradictionAffinity,
} from "../graph-measures.ts";
import type { AffinityMatrix, QuestionSamples } from "../question-samples.ts";
import { type Estimate, type EstimateNeed, known } from "./estimate.ts";

/** What makes two samples alike. */
const AFFINITIES: readonly {
  readonly suffix: string;
  readonly words: string;
  readonly needs: readonly EstimateNeed[];
  readonly of: (samples: QuestionSamples) => AffinityMatrix;
}[] = [
  {
    suffix: "entail",
    words: "by entailment",
    needs: ["entailment"],
    of: (samples) => entailmentAffinity(known(samples, "entailment")),
  },
  {
    suffix: "contra",
    words: "by lack of contradiction",
    needs: ["entailment"],
    of: (samples) => nonContradictionAffinity(known(samples, "entailment")),
  },
  { suffix: "jaccard", words: "by shared words", needs: [], of: ({ answers }) => jaccardAffinity(answers) },
  {
    suffix: "cosine",
    words: "by embeddings",
    needs: ["similarity"],
    of: (samples) => cosineAffinity(known(samples, "similarity")),
  },
];

const MEASURES: readonly (Pick<Estimate, "name" | "title" | "formula" | "range" | "source"> & {
  readonly of: (W: AffinityMatrix) => number;
})[] = [
  {
    name: "degree_matrix",
    title: "Degree matrix",
    formula: "trace(K I - D) / K^2",
    range: "0 to 1",
    source: "Lin et al. 2024; `DegMat` of lm-polygraph",
    of: degreeMatrixUncertainty,
  },
  {
    name: "eigv",
    title: "Sum of Laplacian eigenvalues",
    formula: "sum_k max(0, 1 - lambda_k)",
    range: "1 to K",
    source: "Lin et al. 2024; `EigValLaplacian` of lm-polygraph",
    of: eigenvalueCount,
  },
  {
    name: "eccentricity",
    title: "Eccentricity",
    formula: "norm of the centered coordinates, lambda_k < 0.9",
    range: "0 to sqrt(K)",
    source: "Lin et al. 2024; `Eccentricity` of lm-polygraph",
    of: eccentricity,
  },
];

/** Estimates on the graph of samples: three measures, each on four kinds of affinity. */
export const GRAPH_ESTIMATES: readonly Estimate[] = MEASURES.flatMap(({ of: measure, ...words }) =>
  AFFINITIES.map(({ suffix, words: kind, needs, of: affinity }) => ({
    ...words,
    name: `${words.name}_${suffix}`,
    title: `${words.title}, ${kind}`,
    needs,
    published: "same" as const,
    checkedAgainst: suffix === "cosine" ? "formula in Python" : "lm-polygraph",
    compute: (samples) => {
      const W = affinity(samples);
      // verdicts from elsewhere may deny that a sample entails itself; then the graph has no such node
      const isGraph = W.every((row) => row.some((w) => w > 0));
      return isGraph ? measure(W) : Number.NaN;
    },
  })),
);
