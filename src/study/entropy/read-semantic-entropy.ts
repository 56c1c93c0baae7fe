import { parseSemanticEntropy, type StoredSemanticEntropy } from "../../entropy/semantic-entropy-record.ts";
import { SepError } from "../../errors.ts";
import {
  asRow,
  booleanField,
  numberField,
  numbersField,
  oneOfField,
  orNull,
  type Row,
  stringField,
} from "../../formats/row-fields.ts";
import { type ComparedPair, VERDICT_RULES } from "../../meaning/equivalence.ts";
import { describeProblems, type LineProblem, readJsonl } from "../../store/jsonl.ts";
import { fileExists } from "../../store/read-file.ts";
import type { DataSetName, Workspace } from "../workspace.ts";

/**
 * Reads `math_semantic_entropy.jsonl` / `ood_semantic_entropy.jsonl`.
 * @throws SepError `missing-input`, or `bad-artifact` naming the lines that cannot be used
 */
export async function readSemanticEntropy(path: string): Promise<readonly StoredSemanticEntropy[]> {
  const { rows, problems } = await readJsonl(path, { parse: parseSemanticEntropy });
  refuseProblems(path, problems);
  return rows;
}

/** One clustering of a question's answers, and the verdicts behind it. */
export interface ClusterView {
  /** What `sep entropy` has written, or computed again to compare with it. */
  readonly source: "stored" | "computed";
  /** Name of the relation, or "edited". */
  readonly equivalence: string;
  readonly clustering: string | null;
  /** [K] */
  readonly runIds: readonly number[];
  /** [K] */
  readonly answers: readonly (string | null)[];
  /** [K] from 0 */
  readonly clusterIds: readonly number[];
  /** [N] the different answers. */
  readonly texts: readonly string[];
  readonly pairs: readonly ComparedPair[];
  readonly nonTransitiveShare: number | null;
  /** Nats. */
  readonly discreteSemanticEntropy: number;
}

/**
 * A question's clusters as `sep entropy` stored them.
 * @returns null if there is none
 * @throws SepError `bad-artifact`
 */
export async function readStoredClusters(
  workspace: Workspace,
  set: DataSetName,
  questionId: string,
): Promise<ClusterView | null> {
  const [entropies, verdicts] = [workspace.semanticEntropy(set), workspace.pairVerdicts(set)];
  if (!(await fileExists(entropies)) || !(await fileExists(verdicts))) return null;
  const clusters = await findLine(entropies, questionId, parseClusters);
  const compared = await findLine(verdicts, questionId, parseVerdicts);
  return clusters && compared && { source: "stored", ...clusters, ...compared };
}

type StoredClusters = Omit<ClusterView, "source" | "texts" | "pairs">;

function parseClusters(row: Row): StoredClusters {
  const runIds = numbersField(row, "run_ids");
  const clusters = list(row, "clusters").map((cluster) => ({
    id: numberField(cluster, "cluster_id"),
    members: numbersField(cluster, "member_run_ids"),
  }));
  return {
    equivalence: stringField(row, "equivalence"),
    clustering: orNull(row, "clustering", stringField),
    runIds,
    answers: row.answers as StoredClusters["answers"],
    clusterIds: runIds.map((id) => clusters.find(({ members }) => members.includes(id))?.id ?? Number.NaN),
    nonTransitiveShare: orNull(row, "non_transitive_share", numberField),
    discreteSemanticEntropy: numberField(row, "discrete_semantic_entropy"),
  };
}

function parseVerdicts(row: Row): Pick<ClusterView, "texts" | "pairs"> {
  return { texts: row.texts as readonly string[], pairs: list(row, "pairs").map(parsePair) };
}

/** The fields that every verdict has; those of its rule are as they were written. */
function parsePair(row: Row): ComparedPair {
  const pair = numbersField(row, "pair") as unknown as readonly [number, number];
  const rule = oneOfField(row, "rule", VERDICT_RULES);
  return { ...row, pair, same: booleanField(row, "same"), rule } as ComparedPair;
}

function list(row: Row, name: string): Row[] {
  const value = row[name];
  if (!Array.isArray(value)) throw new TypeError(`"${name}" is not a list`);
  return value.map(asRow);
}

async function findLine<T>(path: string, questionId: string, parse: (row: Row) => T): Promise<T | null> {
  const { rows, problems } = await readJsonl(path, {
    parse: (value) => {
      const row = asRow(value);
      return stringField(row, "question_id") === questionId ? parse(row) : null;
    },
  });
  refuseProblems(path, problems);
  return rows.find((row) => row !== null) ?? null;
}

function refuseProblems(path: string, problems: readonly LineProblem[]): void {
  if (problems.length === 0) return;
  throw new SepError(
    "bad-artifact",
    `${path}: ${describeProblems(problems)}. Make it again with \`sep entropy --force\`.`,
  );
}
