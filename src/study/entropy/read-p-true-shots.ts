import type { PTrueShot } from "../../entropy/state-measures.ts";
import { SepError } from "../../errors.ts";
import { createRng } from "../../math/rng.ts";
import { importRuns } from "../../samples/import/import-runs.ts";

interface ReadPTrueShotsOptions {
  /** Questions to show; OATML's code shows 20. */
  readonly count: number;
  readonly seed?: number | undefined;
}

/**
 * Examples for p(True): questions drawn at random from a runs file that says which answers are right. Of each, the best
 * answer is graded where the file has one, else its first sample, among the other samples.
 * @param path in any format that `importRuns` reads
 * @throws SepError `bad-option` if the file has fewer such questions, or all answers drawn are right or all wrong: such
 *   examples teach a model to always say the same; and as `importRuns`
 */
export async function readPTrueShots(
  path: string,
  { count, seed = 42 }: ReadPTrueShotsOptions,
): Promise<PTrueShot[]> {
  const { questions } = await importRuns(path);
  const known = questions.flatMap(({ question, texts, isCorrect, best }): PTrueShot[] => {
    const correct = best === null ? isCorrect?.[0] : best.isCorrect;
    if (question === null || typeof correct !== "boolean") return [];
    return best === null
      ? [{ question, answer: texts[0]!, brainstormed: texts.slice(1), correct }]
      : [{ question, answer: best.text, brainstormed: texts, correct }];
  });
  if (known.length < count)
    throw new SepError(
      "bad-option",
      `${path} has ${known.length} questions with their text and a graded answer, expected ${count} examples for p(True). Ask for fewer (--p-true-shot-count), or give a larger file.`,
    );
  const rng = createRng("p-true-shots", seed);
  const shots = Array.from({ length: count }, () => known.splice(rng.integer(known.length), 1)[0]!);
  if (shots.some(({ correct }) => correct) && shots.some(({ correct }) => !correct)) return shots;
  throw new SepError(
    "bad-option",
    `All ${count} examples for p(True) from ${path} are ${shots[0]?.correct ? "right" : "wrong"}, which teaches the model to say the same of every answer. Ask for more examples (--p-true-shot-count), or give a file with both.`,
  );
}
