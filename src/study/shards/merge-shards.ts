import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { SepError } from "../../errors.ts";
import { loadQuestions } from "../../samples/load-questions.ts";
import { mergeHiddenStates } from "../../states/merge-hidden-states.ts";
import type { ManifestWarning } from "../../store/manifest.ts";
import { writeAtomic, writeExactly } from "../../store/write-atomic.ts";
import type { StepDefinition } from "../decide-step.ts";
import { runStep, type StepEvent, type StepResult } from "../step.ts";
import { bestPart } from "../study-answers.ts";
import {
  type DataSetName,
  openWorkspace,
  SPLIT_SOURCES,
  type StepName,
  shardsFolder,
  type Workspace,
} from "../workspace.ts";
import { collectShards, type FinishedShard, findShards, hasQuestions, studyName } from "./find-shards.ts";
import { type MergedLines, mergeQuestionLines, readQuestionLines } from "./merge-question-lines.ts";

export interface MergeShardsOptions {
  readonly force?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** A step whose outputs are merged. */
interface Mergeable {
  readonly step: StepName & ("generate" | "trace" | "entropy");
  /** What the step calls its part of a set. */
  readonly partOf?: (set: DataSetName) => string;
  readonly outputs: (workspace: Workspace, set: DataSetName) => readonly string[];
}

/** Entropy last: some estimates read hidden states. */
const MERGEABLE: readonly Mergeable[] = [
  { step: "generate", outputs: (workspace, set) => [workspace.runs(set)] },
  { step: "generate", partOf: bestPart, outputs: (workspace, set) => [workspace.bestRuns(set)] },
  {
    step: "trace",
    outputs: (workspace, set) => [workspace.hiddenStates(set), workspace.hiddenStatesIndex(set)],
  },
  {
    step: "entropy",
    outputs: (workspace, set) => [workspace.semanticEntropy(set), workspace.pairVerdicts(set)],
  },
];

/**
 * Joins the files of all shards below `shards/` into those of the study: the same bytes as of a run without shards. What
 * was merged before and has not changed is kept. The shards are kept too.
 * @throws SepError `missing-input` if there are no shards or none has finished a step, `shards-missing`, `shards-differ`, and
 *   those of `runStep`
 */
export async function* mergeShards(
  root: string,
  { force = false, signal }: MergeShardsOptions = {},
): AsyncGenerator<StepEvent, readonly StepResult[]> {
  const study = openWorkspace(root);
  const shards = await findShards(root);
  const results: StepResult[] = [];
  for (const set of SPLIT_SOURCES) {
    for (const mergeable of MERGEABLE) {
      const finished = await collectShards(shards, mergeable.step, (workspace) =>
        mergeable.outputs(workspace, set),
      );
      if (finished !== null)
        results.push(yield* mergeStep(study, set, mergeable, finished, { force, signal }));
    }
  }
  if (results.length > 0) return results;
  throw new SepError(
    "missing-input",
    `No shard below ${shardsFolder(root)} has finished a step. Run \`sep generate --shard 1/${shards.length}\`, and so on.`,
  );
}

async function* mergeStep(
  study: Workspace,
  set: DataSetName,
  { step, partOf, outputs }: Mergeable,
  finished: readonly FinishedShard[],
  { force, signal }: { readonly force: boolean; readonly signal: AbortSignal | undefined },
): AsyncGenerator<StepEvent, StepResult> {
  // the resolved settings of a shard without questions say nothing about the others
  const { manifest, workspace } = finished.find(hasQuestions) ?? finished[0]!;
  const like = { manifest, workspace, shard: workspace.shard! };
  const written = outputs(study, set);
  const part = partOf?.(set) ?? set;
  const definition: StepDefinition = {
    step,
    part,
    inputs: Object.keys(manifest.inputs).map((name) => join(study.root, studyName(like, name))),
    outputs: written,
    settings: manifest.settings,
    grounds: manifest.grounds,
    whenStale: step === "generate" ? "refuse" : "redo",
  };
  return yield* runStep(study, definition, { force }, async function* () {
    const at = { step, part } as const;
    const counts = sumCounts(finished);
    const total = counts.questions ?? 0;
    const { left_out_too_long: tooLong = 0 } = counts;
    if (total === 0 && tooLong > 0) {
      throw new SepError(
        "prompt-too-long",
        `All ${tooLong} questions of the shards are too long for the model. Shorten them or the prompt around them, or use a model with a longer context.`,
      );
    }
    yield { kind: "started", ...at, unit: "question", done: 0, total };
    const merged = (place: number): AsyncGenerator<MergedLines> =>
      mergeQuestionLines(
        orderOf(study, set, step),
        finished,
        (shard) => outputs(shard.workspace, set)[place]!,
      );
    if (step === "trace") {
      const [states, index] = written as [string, string];
      const parts = finished.map(({ shard: { index, count }, workspace }) => ({
        path: workspace.hiddenStates(set),
        name: `shard ${index}/${count}`,
      }));
      await mergeHiddenStates(parts, untilAborted(merged(1), signal), { states, index });
    } else {
      for (const [place, path] of written.entries())
        await writeAtomic(path, (file) => writeLines(file, untilAborted(merged(place), signal)));
    }
    yield { kind: "advanced", ...at, done: total, total };
    const warnings = gatherWarnings(finished);
    for (const warning of warnings) yield { kind: "warning", ...at, warning };
    return { counts, warnings };
  });
}

/** Ids in the order in which a run without shards writes them: that of the question file, and later of the runs file. */
async function* orderOf(study: Workspace, set: DataSetName, step: StepName): AsyncGenerator<string> {
  if (step === "generate") {
    const { questions } = await loadQuestions(study.raw(set));
    for (const { id } of questions) yield id;
  } else {
    for await (const { questionId } of readQuestionLines(study.runs(set))) yield questionId;
  }
}

async function* untilAborted<T>(items: AsyncIterable<T>, signal: AbortSignal | undefined): AsyncGenerator<T> {
  for await (const item of items) {
    signal?.throwIfAborted();
    yield item;
  }
}

const NEWLINE = Buffer.from("\n");

async function writeLines(file: FileHandle, questions: AsyncIterable<MergedLines>): Promise<void> {
  for await (const { lines } of questions)
    await writeExactly(file, Buffer.concat(lines.flatMap((line) => [line, NEWLINE])), null);
}

/** Settings that do not depend on a shard's questions: the same in each shard. */
const SHARED_COUNTS: readonly string[] = ["layers", "hidden_size", "left_out_as_shots"];

function sumCounts(finished: readonly FinishedShard[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { manifest } of finished) {
    for (const [name, count] of Object.entries(manifest.counts)) {
      const before = counts[name] ?? 0;
      counts[name] = SHARED_COUNTS.includes(name) ? Math.max(before, count) : before + count;
    }
  }
  return counts;
}

/** Each warning with its shard, except those that all shards have in common. */
function gatherWarnings(finished: readonly FinishedShard[]): ManifestWarning[] {
  const said = finished.flatMap(({ manifest, shard }) =>
    manifest.warnings.map(({ code, message }) => ({ code, message, shard })),
  );
  const times = (message: string): number => said.filter((other) => other.message === message).length;
  return said.flatMap(({ code, message, shard }, i) => {
    if (times(message) < finished.length)
      return [{ code, message: `Shard ${shard.index}/${shard.count}: ${message}` }];
    return said.findIndex((other) => other.message === message) === i ? [{ code, message }] : [];
  });
}
