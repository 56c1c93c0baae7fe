import { SepError } from "../../errors.ts";
import { chooseSeThreshold } from "../../probes/se-threshold.ts";
import type { MeasuredLabel, MeasuredUnits } from "../../probes/unit-labels.ts";
import { parseUnitValue } from "../../samples/unit-values.ts";
import { describeProblems, readJsonl } from "../../store/jsonl.ts";

/**
 * What `sep label` measured, by part.
 * @throws SepError `missing-input`, `bad-artifact`
 */
export async function readUnitValues(path: string): Promise<MeasuredUnits["measuredAt"]> {
  const { rows, problems } = await readJsonl(path, { parse: parseUnitValue });
  if (problems.length > 0)
    throw new SepError(
      "bad-artifact",
      `${path}: ${describeProblems(problems)}. Make it again with \`sep label --force\`.`,
    );
  const keyOf = (question: string, run: number, span: readonly number[]): string =>
    JSON.stringify([question, run, ...span]);
  const values = new Map(rows.map((each) => [keyOf(each.question_id, each.run_id, each.span), each.value]));
  return ({ question_id, run_id }, { span }) => values.get(keyOf(question_id, run_id, span));
}

/** The other samples leave a part open rather than entail it. */
const INCONSISTENT = 0.5;

/**
 * Above what a part counts as uncertain.
 * @param values of the training parts: for `clusters` the best split of them
 * @throws SepError `too-few-questions` if there are none to split
 */
export function chooseUnitThreshold(
  label: MeasuredLabel,
  asked: "auto" | number,
  values: readonly number[],
): number {
  if (asked !== "auto") return asked;
  return label === "inconsistent" ? INCONSISTENT : chooseSeThreshold(values).threshold;
}
