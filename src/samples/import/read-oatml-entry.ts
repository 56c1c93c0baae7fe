import { asRow, looseFlag, looseList, looseNumbers, looseText, type Row } from "../../formats/row-fields.ts";
import { type BestAnswer, TEXT_ONLY } from "../samples.ts";
import { gatherImported, type ImportedAnswer, type ImportedSamples } from "./imported-samples.ts";

/** Whether a file's value is OATML's `*_generations.pkl` as JSON: question id -> entry. */
export function isOatmlFile(file: Row): boolean {
  const entries = Object.values(file);
  return (
    entries.length > 0 &&
    entries.every((entry) => typeof entry === "object" && entry !== null && "responses" in entry)
  );
}

/**
 * One entry of OATML's generations: `{question, most_likely_answer: {response, token_log_likelihoods, accuracy, …},
 * responses: [[text, token_log_likelihoods, embedding, accuracy], …]}`. The low-temperature answer is the best one.
 * @throws TypeError with the reason
 */
export function readOatmlEntry(id: string, value: unknown): ImportedSamples {
  const entry = asRow(value);
  const responses = looseList(entry, "responses");
  if (responses === null || responses.length === 0) throw new TypeError('"responses" is empty');
  return gatherImported(
    {
      id,
      question: looseText(entry, "question"),
      best: entry.most_likely_answer == null ? null : readBest(asRow(entry.most_likely_answer)),
    },
    responses.map(readResponse),
  );
}

function readResponse(value: unknown, place: number): ImportedAnswer {
  if (!Array.isArray(value) || typeof value[0] !== "string")
    throw new TypeError(`"responses[${place}]" is no [text, token_log_likelihoods, embedding, accuracy]`);
  const [text, logprobs, embedding, accuracy] = value as [string, unknown, unknown, unknown];
  const tokenLogprobs = looseNumbers(logprobs, `responses[${place}][1]`);
  return {
    ...TEXT_ONLY,
    text,
    tokenLogprobs: tokenLogprobs?.length === 0 ? null : tokenLogprobs,
    hiddenState: Array.isArray(embedding) ? looseNumbers(embedding.flat(2), `responses[${place}][2]`) : null,
    isCorrect: looseFlag({ accuracy }, "accuracy"),
  };
}

function readBest(answer: Row): BestAnswer {
  const logprobs = looseNumbers(answer.token_log_likelihoods, "token_log_likelihoods");
  return {
    text: looseText(answer, "response") ?? "",
    tokenLogprobs: logprobs?.length === 0 ? null : logprobs,
    tokenEntropies: null,
    isCorrect: looseFlag(answer, "accuracy"),
  };
}
