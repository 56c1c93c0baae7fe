/** One question with its reference answer; one line of `math_raw.jsonl` / `ood_raw.jsonl`. */
export interface Question {
  readonly id: string;
  readonly question: string;
  readonly answer: string;
}
