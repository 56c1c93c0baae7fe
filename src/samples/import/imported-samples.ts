import type { LineProblem } from "../../store/jsonl.ts";
import { type Answer, allKnown, gatherSamples, type Samples } from "../samples.ts";

/** Samples of another tool, and the evidence that it stored with them; null if it stored none. */
export interface ImportedSamples extends Samples {
  /** [K][D] one hidden state per answer. */
  readonly hiddenStates: readonly ArrayLike<number>[] | null;
  /** [K][K] what an NLI model said of answer j given answer i. */
  readonly entailment:
    | readonly (readonly {
        readonly entailment: number;
        readonly neutral: number;
        readonly contradiction: number;
      }[])[]
    | null;
}

/** One answer of another tool. */
export interface ImportedAnswer extends Answer {
  readonly hiddenState?: readonly number[] | null;
}

/** The contents of a file, and what could not be used. */
export interface ReadRuns {
  readonly questions: readonly ImportedSamples[];
  readonly problems: readonly LineProblem[];
  readonly duplicates: readonly LineProblem[];
}

/** @param answers [K] to one question */
export const gatherImported = (
  question: Pick<Samples, "id" | "question" | "best">,
  answers: readonly ImportedAnswer[],
  entailment: ImportedSamples["entailment"] = null,
): ImportedSamples => ({
  ...gatherSamples({ ...question, prompt: null }, answers),
  hiddenStates: allKnown(answers, ({ hiddenState = null }) => hiddenState),
  entailment,
});
