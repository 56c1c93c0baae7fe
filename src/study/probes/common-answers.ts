import type { CommonAnswer } from "../../evaluation/consistently-wrong.ts";
import { readRuns } from "../../samples/read-runs.ts";
import { fileExists } from "../../store/file-exists.ts";
import { readSemanticEntropy } from "../entropy/read-semantic-entropy.ts";
import type { DataSetName, Workspace } from "../workspace.ts";

/**
 * What the samples of each question of a set mostly say: the largest meaning cluster, with its first answer.
 * @returns by question id; empty where the set's runs or entropies are not there
 */
export async function readCommonAnswers(
  workspace: Workspace,
  set: DataSetName,
): Promise<ReadonlyMap<string, CommonAnswer>> {
  const paths = [workspace.runs(set), workspace.semanticEntropy(set)];
  if ((await Promise.all(paths.map(fileExists))).includes(false)) return new Map();
  const { runs } = await readRuns(workspace.runs(set));
  const texts = new Map(
    runs.map((run) => [
      JSON.stringify([run.question_id, run.run_id]),
      run.extracted_answer ?? (run.answer_text.trim() || null),
    ]),
  );
  const records = await readSemanticEntropy(workspace.semanticEntropy(set));
  return new Map(
    records.flatMap(({ question_id, clusters }) => {
      const samples = clusters.reduce((sum, { member_run_ids }) => sum + member_run_ids.length, 0);
      if (samples === 0) return [];
      const largest = clusters.reduce((most, cluster) =>
        cluster.member_run_ids.length > most.member_run_ids.length ? cluster : most,
      );
      const said = largest.member_run_ids.map((run) => texts.get(JSON.stringify([question_id, run])) ?? null);
      const answer = said.find((text) => text !== null) ?? null;
      return [[question_id, { answer, cluster_share: largest.member_run_ids.length / samples }]];
    }),
  );
}
