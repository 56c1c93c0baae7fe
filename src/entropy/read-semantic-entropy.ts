import { SepError } from "../errors.ts";
import { asRow, numberField, numbersField, orNull, stringField } from "../formats/row-fields.ts";
import { describeProblems, readJsonl } from "../store/jsonl.ts";
import type { SemanticEntropyRecord } from "./semantic-entropy-record.ts";

/** What later steps read of a question's entropies; `semantic_entropy` is null where log-probabilities are missing. */
export type StoredSemanticEntropy = Pick<
  SemanticEntropyRecord,
  "question_id" | "clusters" | "semantic_entropy" | "discrete_semantic_entropy"
>;

/**
 * Reads `math_semantic_entropy.jsonl` / `ood_semantic_entropy.jsonl`.
 * @throws SepError `missing-input`, or `bad-artefact` naming the lines that cannot be used
 */
export async function readSemanticEntropy(path: string): Promise<readonly StoredSemanticEntropy[]> {
  const { rows, problems } = await readJsonl(path, { parse: parseRecord });
  if (problems.length === 0) return rows;
  throw new SepError(
    "bad-artefact",
    `${path}: ${describeProblems(problems)}. Make it anew with \`sep entropy --force\`.`,
  );
}

function parseRecord(value: unknown): StoredSemanticEntropy {
  const row = asRow(value);
  const clusters = Array.isArray(row.clusters) ? row.clusters : [];
  return {
    question_id: stringField(row, "question_id"),
    clusters: clusters.map((cluster) => ({
      cluster_id: numberField(asRow(cluster), "cluster_id"),
      member_run_ids: numbersField(asRow(cluster), "member_run_ids"),
    })),
    semantic_entropy: orNull(row, "semantic_entropy", numberField),
    discrete_semantic_entropy: numberField(row, "discrete_semantic_entropy"),
  };
}
