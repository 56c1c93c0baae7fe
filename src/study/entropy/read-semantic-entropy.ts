import { parseSemanticEntropy, type StoredSemanticEntropy } from "../../entropy/semantic-entropy-record.ts";
import { SepError } from "../../errors.ts";
import { describeProblems, readJsonl } from "../../store/jsonl.ts";

/**
 * Reads `math_semantic_entropy.jsonl` / `ood_semantic_entropy.jsonl`.
 * @throws SepError `missing-input`, or `bad-artefact` naming the lines that cannot be used
 */
export async function readSemanticEntropy(path: string): Promise<readonly StoredSemanticEntropy[]> {
  const { rows, problems } = await readJsonl(path, { parse: parseSemanticEntropy });
  if (problems.length === 0) return rows;
  throw new SepError(
    "bad-artefact",
    `${path}: ${describeProblems(problems)}. Make it anew with \`sep entropy --force\`.`,
  );
}
