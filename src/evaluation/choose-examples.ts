import type { UnitRows } from "./evaluate-units.ts";

/** An answer with the score of each of its parts, for people to read. */
export interface UnitExample {
  readonly question_id: string;
  readonly run_id: number;
  /** Where the answer is among the others by its highest score. */
  readonly risk: "highest" | "middle" | "lowest";
  /** In the order of the text. */
  readonly units: readonly { readonly text: string; readonly score: number; readonly label: 0 | 1 }[];
}

/**
 * Three answers to read: of those with at least two parts, the ones whose highest score is the highest, the middle and the lowest
 * of all.
 * @param textOf the text of a row's part
 */
export function chooseExamples(
  { scores, labels, questionIds, runIds, spans }: UnitRows,
  textOf: (row: number) => string,
): UnitExample[] {
  const answers = new Map<string, number[]>();
  for (const row of scores.keys()) {
    if (Number.isNaN(scores[row])) continue;
    const key = JSON.stringify([questionIds[row], runIds[row]]);
    const own = answers.get(key) ?? [];
    if (own.push(row) === 1) answers.set(key, own);
  }
  const ranked = [...answers.values()]
    .filter((own) => own.length >= 2)
    .map((own) => ({ own, most: Math.max(...own.map((row) => scores[row]!)) }))
    .sort((a, b) => b.most - a.most);
  const places = [
    ["highest", 0],
    ["middle", Math.floor(ranked.length / 2)],
    ["lowest", ranked.length - 1],
  ] as const;
  return ranked.length < places.length
    ? []
    : places.map(([risk, place]) => {
        const rows = ranked[place]!.own.toSorted((a, b) => spans[2 * a + 1]! - spans[2 * b + 1]!);
        return {
          question_id: questionIds[rows[0]!]!,
          run_id: runIds[rows[0]!]!,
          risk,
          units: rows.map((row) => ({
            text: textOf(row),
            score: scores[row]!,
            label: labels[row] === 1 ? 1 : 0,
          })),
        };
      });
}
