/** One question that was asked of every row, or of a sample of them. */
export interface TraceCheck {
  readonly name: TraceCheckName;
  /** What must hold. */
  readonly claim: string;
  readonly checked: number;
  readonly failed: number;
  /** The first failures, for people. */
  readonly examples: readonly string[];
  /** Why nothing could be checked; null where it was. */
  readonly skipped: string | null;
}

export const TRACE_CHECKS = {
  index: "each row of the tensors has one line in the index, of a run that is there",
  token: "each row's token id and text are those of its run",
  answer: "each run's recorded answer tokens hold its text, and no more",
  position:
    "each row is at its position's place, before-generation at the prompt's last token, others in the answer",
  finite: "no vector has a NaN or an infinity",
  zero: "no vector is all zero",
  constant: "no vector is the same number throughout",
  duplicate: "no two rows have one vector where the tokens up to them differ",
  model: "the states are of this model, tokenizer and norm state",
  agreement: "a second reading by this backend gives the same numbers",
} as const;
export type TraceCheckName = keyof typeof TRACE_CHECKS;

/** Collects what one check finds. */
export interface CheckTally {
  /** @param failure a sentence for people; null where all is well */
  count(failure: string | null): void;
  skip(reason: string): void;
  finish(): TraceCheck;
}

/** More of them would not tell more. */
const MOST_EXAMPLES = 3;

export function createTally(name: TraceCheckName): CheckTally {
  let checked = 0;
  let failed = 0;
  let skipped: string | null = null;
  const examples: string[] = [];
  return {
    count(failure) {
      checked += 1;
      if (failure === null) return;
      failed += 1;
      if (examples.length < MOST_EXAMPLES) examples.push(failure);
    },
    skip(reason) {
      skipped = reason;
    },
    finish: () => ({ name, claim: TRACE_CHECKS[name], checked, failed, examples, skipped }),
  };
}
