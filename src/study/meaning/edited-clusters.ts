import { basename } from "node:path";
import { SepError } from "../../errors.ts";
import type { Json } from "../../formats/json.ts";
import { asRow, numberField, numbersField, stringField } from "../../formats/row-fields.ts";
import { hashFile } from "../../store/fingerprint.ts";
import { describeProblems, readJsonl } from "../../store/jsonl.ts";

/** Clusters that the user gives, in place of those that a relation finds. */
export interface EditedClusters {
  /** The file's name and hash, for the provenance of artifacts. */
  readonly provenance: Json;
  /**
   * [K] cluster of each sample, numbered in order of first appearance.
   * @throws RangeError for a question that was not among those it was read for
   */
  clusterIds(questionId: string): readonly number[];
}

/** The samples of a question, in the order of the wanted clusters. */
interface SampleIds {
  readonly questionId: string;
  /** [K] */
  readonly runIds: readonly number[];
}

/**
 * Reads a clusters file: `{question_id, clusters: [{cluster_id, member_run_ids}]}` per line, other keys ignored, so
 * that an edited copy of `math_semantic_entropy.jsonl` is one. Every sample must be in exactly one cluster.
 * @param known every question that may occur in it
 * @throws SepError `missing-input`; `bad-clusters-file` naming what is wrong, all of it
 */
export async function readEditedClusters(
  path: string,
  questions: readonly SampleIds[],
  known: ReadonlySet<string>,
): Promise<EditedClusters> {
  const { rows, problems } = await readJsonl(path, { parse: parseLine });
  const complaints = problems.length === 0 ? [] : [describeProblems(problems)];
  const byQuestion = new Map<string, ClustersLine>();
  for (const row of rows) {
    if (byQuestion.has(row.questionId)) complaints.push(`line ${row.line} has ${name(row)} again`);
    else if (!known.has(row.questionId))
      complaints.push(`line ${row.line} has ${name(row)}, for which there are no runs`);
    byQuestion.set(row.questionId, row);
  }
  const assigned = new Map<string, readonly number[]>();
  for (const question of questions) {
    const row = byQuestion.get(question.questionId);
    if (row === undefined) complaints.push(`${name(question)} is missing`);
    else assigned.set(question.questionId, assign(question, row, complaints));
  }
  if (complaints.length > 0) throw badFile(path, complaints);
  const provenance = { name: "edited", file: basename(path), sha256: await hashFile(path) };
  return {
    provenance,
    clusterIds(questionId) {
      const ids = assigned.get(questionId);
      if (ids === undefined) throw new RangeError(`no clusters of question ${questionId}`);
      return ids;
    },
  };
}

interface ClustersLine {
  readonly line: number;
  readonly questionId: string;
  readonly clusters: readonly { readonly id: number; readonly runIds: readonly number[] }[];
}

function parseLine(value: unknown, line: number): ClustersLine {
  const row = asRow(value);
  if (!Array.isArray(row.clusters)) throw new TypeError('"clusters" is not a list');
  const clusters = row.clusters.map((cluster) => ({
    id: numberField(asRow(cluster), "cluster_id"),
    runIds: numbersField(asRow(cluster), "member_run_ids"),
  }));
  const twice = clusters.find(({ id }, i) => clusters.findIndex((other) => other.id === id) < i);
  if (twice !== undefined) throw new TypeError(`cluster_id ${twice.id} is there twice`);
  return { line, questionId: stringField(row, "question_id"), clusters };
}

/** @param complaints gets what is wrong with the question's line */
function assign(
  { questionId, runIds }: SampleIds,
  { line, clusters }: ClustersLine,
  complaints: string[],
): number[] {
  const complain = (ids: readonly number[], what: string): void => {
    if (ids.length > 0)
      complaints.push(`line ${line} (${name({ questionId })}): run ${ids.join(", ")} ${what}`);
  };
  const members = clusters.flatMap((cluster) => cluster.runIds);
  complain([...new Set(members.filter((id, i) => members.indexOf(id) < i))], "is in more than one place");
  complain([...new Set(members.filter((id) => !runIds.includes(id)))], "is not one of the question's runs");
  complain(
    runIds.filter((id) => !members.includes(id)),
    "is in no cluster",
  );
  const numbers = new Map<number, number>();
  return runIds.map((runId) => {
    const cluster = clusters.find((each) => each.runIds.includes(runId))?.id ?? Number.NaN;
    if (!numbers.has(cluster)) numbers.set(cluster, numbers.size);
    return numbers.get(cluster)!;
  });
}

const name = ({ questionId }: { readonly questionId: string }): string =>
  `question ${JSON.stringify(questionId)}`;

function badFile(path: string, complaints: readonly string[]): SepError {
  const rest = complaints.length - MAX_SHOWN;
  const shown = complaints.slice(0, MAX_SHOWN).join("; ");
  return new SepError(
    "bad-clusters-file",
    `${path}: ${shown}${rest > 0 ? `; and ${rest} more` : ""}. Every run of every question must be in exactly one cluster; docs/clusters.md has the format.`,
  );
}

const MAX_SHOWN = 10;
