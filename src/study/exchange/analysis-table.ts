import { readFile } from "node:fs/promises";
import type { SplitScores } from "../../evaluation/evaluate-split.ts";
import type { StudyScoreName } from "../../evaluation/score-names.ts";
import { asRow, stringField } from "../../formats/row-fields.ts";
import { applyCalibration } from "../../probes/calibration.ts";
import type { Probe, UntrainedProbe } from "../../probes/probe.ts";
import type { ProbeDataset } from "../../probes/probe-dataset.ts";
import type { SeThreshold } from "../../probes/se-threshold.ts";
import { readRuns } from "../../samples/read-runs.ts";
import type { RunRecord } from "../../samples/run-record.ts";
import { runKey } from "../../samples/samples.ts";
import { openHiddenStates } from "../../states/hidden-states.ts";
import { readJsonl } from "../../store/jsonl.ts";
import { fileExists } from "../../store/read-file.ts";
import { makeColumn, type TableCell, type TableColumn } from "../../store/table-file.ts";
import { requireCurrent } from "../chain.ts";
import { requireInput } from "../decide-step.ts";
import { readProbeDataset, readProbeFile } from "../probe-files.ts";
import { type StudyProbes, scoreSplit } from "../probes/score-study.ts";
import { tracedAnswersPath } from "../study-answers.ts";
import {
  type DataSetName,
  PROBE_SPLITS,
  type ProbeSplit,
  SPLIT_SOURCES,
  type Workspace,
} from "../workspace.ts";

type TableRow = Readonly<Record<string, TableCell | undefined>>;

/**
 * Everything that a study knows about each answer, one row per answer: its question, its grade, every measure of its
 * question, and every probe's score. `split` is null for an answer that is in no data set; scores on `math_train` are
 * of the rows that the probes were fitted on.
 * @throws SepError `missing-input` if there are neither answers nor data sets; `bad-artifact`, `probe-mismatch`
 */
export async function buildAnalysisTable(workspace: Workspace): Promise<readonly TableColumn[]> {
  await requireCurrent(await listTableInputs(workspace), "export table");
  const probes = await readProbes(workspace);
  const rows: TableRow[] = [];
  for (const set of SPLIT_SOURCES) {
    const splits = await readSplits(workspace, set, probes);
    const path = await tracedAnswersPath(workspace, set);
    if (await fileExists(path)) {
      const found = await readEstimates(workspace, set);
      // a best answer is in no cluster, and has the run id of a sample
      const estimates = path === workspace.runs(set) ? found : withoutClusters(found);
      for (const run of (await readRuns(path)).runs) rows.push(describeRun(set, run, estimates, splits));
    } else {
      // data sets that were imported come without their texts
      for (const [key, own] of splits) rows.push({ set, ...readKey(key), ...own });
    }
  }
  if (rows.length === 0) await requireInput(workspace.runs("math"), "export table");
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  return names.map((name) =>
    makeColumn(
      name,
      rows.map((row) => row[name]),
      { isCount: COUNTS.has(name) },
    ),
  );
}

/** Everything that a row may be joined from; missing files are not read. */
async function listTableInputs(workspace: Workspace): Promise<string[]> {
  const answers = await Promise.all(SPLIT_SOURCES.map((set) => tracedAnswersPath(workspace, set)));
  return [
    ...answers,
    ...SPLIT_SOURCES.flatMap((set) => [workspace.semanticEntropy(set), workspace.hiddenStates(set)]),
    ...PROBE_SPLITS.map((split) => workspace.probeDataset(split)),
    ...[workspace.accuracyProbe, workspace.seProbe, workspace.entropyBaseline],
  ];
}

const COUNTS: ReadonlySet<string> = new Set(["run_id", "generated_tokens", "cluster_id", "cluster_count"]);

function readKey(key: string): { readonly question_id: string; readonly run_id: number } {
  const [question_id, run_id] = JSON.parse(key) as [string, number];
  return { question_id, run_id };
}

function describeRun(
  set: DataSetName,
  run: RunRecord,
  estimates: ReadonlyMap<string, QuestionEstimates>,
  splits: ReadonlyMap<string, TableRow>,
): TableRow {
  const { question_id, run_id } = run;
  const own = splits.get(runKey(question_id, run_id));
  const ofQuestion = estimates.get(question_id);
  return {
    set,
    split: own?.split ?? null,
    question_id,
    run_id,
    question: run.question ?? null,
    is_correct: run.is_correct,
    extracted_answer: run.extracted_answer,
    answer_text: run.answer_text,
    think_status: run.think_status,
    finish_reason: run.finish_reason,
    generated_tokens: run.tokens.length,
    mean_think_entropy: run.mean_think_entropy,
    cluster_id: ofQuestion?.clusterOf.get(run_id) ?? null,
    ...ofQuestion?.numbers,
    ...own,
  };
}

interface QuestionEstimates {
  /** Every number that the record has, under its name. */
  readonly numbers: Readonly<Record<string, number | null>>;
  readonly clusterOf: ReadonlyMap<number, number>;
}

const withoutClusters = (
  estimates: ReadonlyMap<string, QuestionEstimates>,
): ReadonlyMap<string, QuestionEstimates> =>
  new Map([...estimates].map(([id, { numbers }]) => [id, { numbers, clusterOf: new Map() }]));

async function readEstimates(
  workspace: Workspace,
  set: DataSetName,
): Promise<ReadonlyMap<string, QuestionEstimates>> {
  const path = workspace.semanticEntropy(set);
  if (!(await fileExists(path))) return new Map();
  const { rows } = await readJsonl(path, {
    parse: (value) => {
      const row = asRow(value);
      const clusters = (row.clusters ?? []) as readonly { cluster_id: number; member_run_ids: number[] }[];
      const numbers = Object.entries(row).filter(([, each]) => each === null || typeof each === "number");
      return [
        stringField(row, "question_id"),
        {
          numbers: Object.fromEntries(numbers) as Record<string, number | null>,
          clusterOf: new Map(
            clusters.flatMap((each) => each.member_run_ids.map((run) => [run, each.cluster_id])),
          ),
        },
      ] as const;
    },
  });
  return new Map(rows);
}

/** @returns null before training */
async function readProbes(
  workspace: Workspace,
): Promise<{ readonly probes: StudyProbes; readonly threshold: number } | null> {
  const paths = [
    workspace.accuracyProbe,
    workspace.seProbe,
    workspace.entropyBaseline,
    workspace.seThreshold,
  ];
  if ((await Promise.all(paths.map(fileExists))).includes(false)) return null;
  const [accuracy, se, baseline] = await Promise.all(paths.slice(0, 3).map(readProbeFile));
  const { threshold } = JSON.parse(await readFile(workspace.seThreshold, "utf8")) as SeThreshold;
  return { probes: { accuracy: accuracy!, se: se!, baseline: baseline! }, threshold };
}

/** Of each answer in a data set: which, and its scores. */
async function readSplits(
  workspace: Workspace,
  set: DataSetName,
  trained: Awaited<ReturnType<typeof readProbes>>,
): Promise<ReadonlyMap<string, TableRow>> {
  const found = new Map<string, TableRow>();
  for (const split of PROBE_SPLITS.filter((each) => each.startsWith(set))) {
    if (!(await fileExists(workspace.probeDataset(split)))) continue;
    const dataset = await readProbeDataset(workspace.probeDataset(split));
    const hidden = await openHiddenStates(workspace.hiddenStates(set));
    const scores =
      trained === null ? null : await scoreSplit(dataset, hidden, trained.probes, trained.threshold);
    for (const [row, id] of dataset.questionIds.entries())
      found.set(runKey(id, dataset.runIds[row] as number), {
        ...describeDatasetRow(split, dataset, row),
        ...(scores === null || trained === null ? {} : describeScores(scores, trained.probes, row)),
      });
  }
  return found;
}

function describeDatasetRow(split: ProbeSplit, dataset: ProbeDataset, row: number): TableRow {
  return {
    split,
    is_correct: dataset.correct[row] === 1,
    mean_think_entropy: dataset.meanThinkEntropy[row],
    semantic_entropy: dataset.semanticEntropy[row],
    discrete_semantic_entropy: dataset.discreteSemanticEntropy[row],
  };
}

function describeScores(
  { byName, highSemanticEntropy }: SplitScores<StudyScoreName>,
  { accuracy, se, baseline }: StudyProbes,
  row: number,
): TableRow {
  const both = (name: string, probe: Probe | UntrainedProbe, own: Float64Array): TableRow => {
    const score = own[row] as number;
    const map = probe.kind === "untrained" ? null : probe.calibration_map;
    return { [name]: score, [`${name}_risk`]: map === null ? null : applyCalibration(map, score) };
  };
  return {
    high_semantic_entropy: highSemanticEntropy[row] === 1,
    ...both("accuracy_probe", accuracy, byName.accuracy_probe),
    ...both("se_probe", se, byName.se_probe),
    ...both("entropy_baseline", baseline, byName.entropy_baseline),
  };
}
