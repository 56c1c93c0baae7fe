import { basename, dirname, join } from "node:path";
import type { MeasuredLabel } from "../probes/unit-labels.ts";
import { FIGURE_FOLDER, TABLE_FOLDER } from "../report/figure.ts";
import { fileExists } from "../store/read-file.ts";
import { type Shard, shardFolder } from "./shards/shard.ts";

/** The two question sets of one study: in distribution, and out of distribution. */
export const SPLIT_SOURCES = ["math", "ood"] as const;
export type DataSetName = (typeof SPLIT_SOURCES)[number];

/** The steps of a study in the order in which they run, followed by those outside that sequence. */
export const STEP_NAMES = [
  "prepare",
  "generate",
  "entropy",
  "trace",
  "label",
  "dataset",
  "train",
  "eval",
  "transfer",
  "route",
  "force",
  "exit",
  "import",
  "report",
] as const;
export type StepName = (typeof STEP_NAMES)[number];

/** The probe data sets, by question: in-distribution train, validation and test, and all of the second set. */
export const PROBE_SPLITS = ["math_train", "math_val", "math_test", "ood_test"] as const;
export type ProbeSplit = (typeof PROBE_SPLITS)[number];

/** Every file of a study, below one folder. The names are those that Python pipelines of this kind use. */
export interface Workspace {
  readonly root: string;
  /** The part of the questions that the steps work on; null: all. */
  readonly shard: Shard | null;
  raw(set: DataSetName): string;
  runs(set: DataSetName): string;
  /** One low-temperature answer per question, if the study has them; the same schema. */
  bestRuns(set: DataSetName): string;
  semanticEntropy(set: DataSetName): string;
  pairVerdicts(set: DataSetName): string;
  hiddenStates(set: DataSetName): string;
  hiddenStatesIndex(set: DataSetName): string;
  probeDataset(split: ProbeSplit): string;
  readonly accuracyProbe: string;
  readonly seProbe: string;
  readonly entropyBaseline: string;
  readonly seThreshold: string;
  readonly probeEval: string;
  readonly report: string;
  /** A file of one of the report's figures. */
  figure(file: string): string;
  /** A file of one of the report's tables. */
  table(file: string): string;
  /** The settings of the last `sep run` with their provenance; it belongs to no step, so it makes nothing stale. */
  readonly config: string;
  /** Of a comparison of several studies. */
  readonly transfer: string;
  /** Of a cascade of the study's model and a larger one. */
  readonly route: string;
  /** What was measured of parts of answers, for labels. */
  unitValues(set: DataSetName, label: MeasuredLabel): string;
  /** What the model answers when its reasoning is closed early, one line per step of a chain. */
  forcedAnswers(set: DataSetName): string;
  /** When to leave a chain of reasoning. */
  readonly exit: string;
  /** The probe that gives one of its scores. */
  exitProbe(score: string): string;
  /** Of repetitions of splits and fits with other seeds. */
  readonly seeds: string;
  /** How good each score is in one repetition. */
  readonly seedScores: string;
}

export function openWorkspace(root: string): Workspace {
  const data = (name: string): string => join(root, "data", name);
  const artifacts = (...names: string[]): string => join(root, "artifacts", ...names);
  return {
    root,
    shard: null,
    raw: (set) => data(`${set}_raw.jsonl`),
    runs: (set) => data(`${set}_runs.jsonl`),
    bestRuns: (set) => data(`${set}_best_runs.jsonl`),
    semanticEntropy: (set) => data(`${set}_semantic_entropy.jsonl`),
    pairVerdicts: (set) => data(`${set}_pair_verdicts.jsonl`),
    hiddenStates: (set) => artifacts(`${set}_hidden_states.safetensors`),
    hiddenStatesIndex: (set) => artifacts(`${set}_hidden_states.index.jsonl`),
    probeDataset: (split) => artifacts("probe_datasets", `${split}.npz`),
    accuracyProbe: artifacts("models", "accuracy_probe.json"),
    seProbe: artifacts("models", "se_probe.json"),
    entropyBaseline: artifacts("models", "entropy_baseline.json"),
    seThreshold: artifacts("models", "se_threshold.json"),
    probeEval: artifacts("models", "probe_eval.json"),
    report: artifacts("report.html"),
    figure: (file) => artifacts(FIGURE_FOLDER, file),
    table: (file) => artifacts(TABLE_FOLDER, file),
    config: artifacts("config.yaml"),
    transfer: artifacts("transfer.json"),
    route: artifacts("route.json"),
    unitValues: (set, label) => data(`${set}_units_${label}.jsonl`),
    forcedAnswers: (set) => data(`${set}_forced_answers.jsonl`),
    exit: artifacts("exit.json"),
    seeds: artifacts("seeds.json"),
    seedScores: artifacts("scores.json"),
    exitProbe: (score) => artifacts("models", `exit_${score.replaceAll("-", "_")}.json`),
  };
}

/** The command that writes a file of a study, by its name; null for any other file. */
export function producerOf(path: string): string | null {
  const file = `${basename(dirname(path))}/${basename(path)}`;
  return PRODUCERS.find(([pattern]) => pattern.test(file))?.[1] ?? null;
}

const PRODUCERS: readonly (readonly [RegExp, string])[] = [
  [/^data\/(math|ood)_raw\.jsonl$/, "sep prepare"],
  [/^data\/(math|ood)_best_runs\.jsonl$/, "sep generate --best-answer"],
  [/^data\/(math|ood)_runs\.jsonl$/, "sep generate"],
  [/^data\/(math|ood)_(semantic_entropy|pair_verdicts)\.jsonl$/, "sep entropy"],
  [/^artifacts\/(math|ood)_hidden_states\.(safetensors|index\.jsonl)$/, "sep trace"],
  [/^probe_datasets\/(math_train|math_val|math_test|ood_test)\.npz$/, "sep dataset"],
  [/^models\/(accuracy_probe|se_probe|entropy_baseline)\.(json|safetensors)$/, "sep train"],
  [/^models\/se_threshold\.json$/, "sep train"],
  [/^models\/probe_eval\.json$/, "sep eval"],
  [/^artifacts\/transfer\.json$/, "sep transfer"],
  [/^artifacts\/(seeds|scores)\.json$/, "sep eval --seeds"],
  [/^artifacts\/route\.json$/, "sep route"],
  [/^data\/(math|ood)_units_(inconsistent|clusters)\.jsonl$/, "sep label"],
  [/^data\/(math|ood)_forced_answers\.jsonl$/, "sep exit"],
  [/^artifacts\/exit\.json$/, "sep exit"],
  [/^models\/exit_(settled|right|ends_wrong)_probe\.(json|safetensors)$/, "sep exit"],
];

/**
 * A repetition of a study's splits and fits with another seed: questions, answers and hidden states are the study's; data sets,
 * probes and scores are its own, in `seeds/SEED/`. Names in manifests are relative to the study's folder.
 */
export function openRepetition(study: Workspace, seed: number): Workspace {
  const own = openWorkspace(join(study.root, "seeds", String(seed)));
  const { probeDataset, accuracyProbe, seProbe, entropyBaseline, seThreshold, seedScores } = own;
  return { ...study, probeDataset, accuracyProbe, seProbe, entropyBaseline, seThreshold, seedScores };
}

/** The folder of a study whose folders each have the files of a shard. */
export const shardsFolder = (root: string): string => join(root, "shards");

/**
 * A shard of a study: the questions are the study's; everything that generate, entropy and trace write is the shard's own, in
 * `shards/2-of-8/`. Names in manifests are relative to the study's folder.
 */
export function openShard(root: string, shard: Shard): Workspace {
  const own = openWorkspace(join(shardsFolder(root), shardFolder(shard)));
  return { ...own, root, shard, raw: openWorkspace(root).raw };
}

/** The same for steps that read runs: if the shard has none, the study's runs, restricted to the shard's questions. */
export async function withStudyRuns(workspace: Workspace): Promise<Workspace> {
  if (workspace.shard === null) return workspace;
  const study = openWorkspace(workspace.root);
  const sources = new Map<DataSetName, Workspace>();
  for (const set of SPLIT_SOURCES) {
    const isOwn = (await fileExists(workspace.runs(set))) || !(await fileExists(study.runs(set)));
    sources.set(set, isOwn ? workspace : study);
  }
  const source = (set: DataSetName): Workspace => sources.get(set) as Workspace;
  return { ...workspace, runs: (set) => source(set).runs(set), bestRuns: (set) => source(set).bestRuns(set) };
}
