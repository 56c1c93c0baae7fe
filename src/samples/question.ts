/** One question with its reference answer; one line of `math_raw.jsonl` / `ood_raw.jsonl`. */
export interface Question {
  readonly id: string;
  readonly question: string;
  readonly answer: string;
  /** Other spellings of the answer that are as right; left out where there are none. */
  readonly aliases?: readonly string[];
  /** How one gets to the answer, where the set says it (GSM8K does): what a worked example shows. */
  readonly solution?: string;
}
