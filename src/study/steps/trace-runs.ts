import { rm } from "node:fs/promises";
import { stateBackendOf } from "../../backends/local/local-backend.ts";
import type { StatesToRead } from "../../engine/generate/sample-with-states.ts";
import type { LanguageModel } from "../../engine/language-model.ts";
import { describeObservation } from "../../engine/observation.ts";
import {
  isUnitPosition,
  type PositionIndices,
  SINGLE_POSITIONS,
  TRACE_POSITIONS,
  type TracePosition,
} from "../../engine/places.ts";
import { type LayerName, resolveLayers } from "../../engine/resolve-layers.ts";
import type { PromptOptions } from "../../engine/tokenizer/build-prompt.ts";
import { SepError } from "../../errors.ts";
import { type Json, stableStringify } from "../../formats/json.ts";
import { mapConcurrently } from "../../net/map-concurrently.ts";
import { markRuns } from "../../samples/marked-spans.ts";
import {
  createObserver,
  describeReading,
  type Observer,
  observeRuns,
  warnOfUnread,
} from "../../samples/observe-runs.ts";
import { IMPORTED, type RunRecord, type TracedRun } from "../../samples/run-record.ts";
import { openSampledStates, removeSampledStates } from "../../states/sampled-states.ts";
import type { StateBackend } from "../../states/state-backend.ts";
import { writeStateIndex } from "../../states/state-index.ts";
import { planTrace, rowsOf, type TracePlan } from "../../states/trace-plan.ts";
import { keyOf, traceQuestion } from "../../states/trace-question.ts";
import {
  createHiddenStates,
  describeStatesSize,
  type HiddenStatesShape,
  type HiddenStatesWriter,
  reopenHiddenStates,
  type StatesDtype,
} from "../../states/write-hidden-states.ts";
import { openJsonlAppender } from "../../store/append-jsonl.ts";
import { fingerprintFile } from "../../store/fingerprint.ts";
import {
  partialPathOf,
  readJournalSettings,
  removeJournal,
  writeJournalSettings,
} from "../../store/journal.ts";
import { readJsonl } from "../../store/jsonl.ts";
import type { ManifestWarning } from "../../store/manifest.ts";
import { INDICES, MARKED, STATES_STORAGE, TRACE_SETTINGS } from "../settings/probes.ts";
import { resolveSettings, type SettingsInput } from "../settings/setting.ts";
import { runStep, type StepControl, type StepEvent, type StepOutcome, type StepResult } from "../step.ts";
import {
  type AnswerRole,
  answersPath,
  findBestAnswers,
  readShardRuns,
  warnOfBadRuns,
} from "../study-answers.ts";
import type { DataSetName, Workspace } from "../workspace.ts";

const { layers: _numbers, ...SETTINGS } = { ...TRACE_SETTINGS, ...INDICES, ...STATES_STORAGE, ...MARKED };

export interface TraceRunsOptions extends StepControl, SettingsInput<typeof SETTINGS> {
  /** A loaded model, which runs on the local engine, or another backend. */
  readonly model: LanguageModel | StateBackend;
  /** Residual layers, 0 .. L or TransformerLens' hook names; all by default. */
  readonly layers?: "all" | readonly LayerName[] | undefined;
  /**
   * The model reads the answers as texts that another one wrote, after its own prompt for the question. Without it, the
   * model is the one that wrote them, and reads their own tokens.
   */
  readonly observer?: PromptOptions | undefined;
  /** Whether to take states over that were read while the answers were sampled; by default unless `force`. */
  readonly takeSampled?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Step 4: the residual stream of every sampled answer, or of each question's best one, at the chosen positions and layers. An interrupted trace
 * goes on where it stopped. States that were read while the answers were sampled (`generateRuns` with `states`) are taken over,
 * and the model reads only the others.
 * @throws SepError `missing-input`, `output-locked`, `bad-option`, `bad-checkpoint`
 */
export async function* traceRuns(
  workspace: Workspace,
  set: DataSetName,
  {
    model,
    layers: asLayers,
    observer: reading,
    force = false,
    takeSampled = !force,
    plan,
    signal,
    ...options
  }: TraceRunsOptions,
): AsyncGenerator<StepEvent, StepResult> {
  const { answers: asked, statesDtype, spans } = resolveSettings(SETTINGS, options);
  const backend = stateBackendOf(model);
  const { positions, layers, indices } = resolvePlaces(backend, { ...options, layers: asLayers });
  requireMarked(positions, spans);
  const best = asked === "samples" ? null : await findBestAnswers(workspace, set);
  const answers = asked === "auto" ? (best === null ? "samples" : "best") : asked;
  const source = answersPath(workspace, set, answers);
  const observer = reading === undefined ? null : createObserver(backend.model, reading);
  const settings = {
    model: backend.identity,
    positions,
    layers,
    norm_state: backend.normState,
    dtype: statesDtype,
    ...(indices === "exact" ? {} : { indices }),
    answers,
    ...(observer === null ? {} : { observer: describeReading(observer) as unknown as Json }),
  };
  const definition = {
    step: "trace",
    part: set,
    inputs: [source, ...(spans === undefined ? [] : [spans])],
    outputs: [workspace.hiddenStates(set), workspace.hiddenStatesIndex(set)],
    settings,
    whenStale: "redo",
    cleanUp: async () => {
      await removeJournal(journalOf(workspace.hiddenStates(set)));
      await removeSampledStates(workspace.hiddenStates(set));
    },
  } as const;
  return yield* runStep(workspace, definition, { force, plan }, () =>
    traceMissing(workspace, set, source, { backend, settings, observer, spans, force, takeSampled, signal }),
  );
}

/** @throws SepError `bad-option` for one of the two without the other */
function requireMarked(positions: readonly TracePosition[], spans: string | undefined): void {
  if (positions.includes("spans") === (spans !== undefined)) return;
  throw new SepError(
    "bad-option",
    spans === undefined
      ? "Got the position spans without --spans, expected the file with the stretches of answers to read."
      : `Got --spans ${spans}, but the position spans is not read. Add it to --positions.`,
  );
}

/** Where a trace reads: names of positions and numbers of layers. */
export type TracePlaces = Pick<TraceRunsOptions, "positions" | "layers" | "indices">;

/** The same with all that is left open filled in; layers and positions in the order in which files have them. */
export function resolvePlaces(
  backend: StateBackend,
  { layers = "all", ...options }: TracePlaces,
): StatesToRead {
  const { positions, indices } = resolveSettings(
    { positions: SETTINGS.positions, indices: SETTINGS.indices },
    options,
  );
  return {
    layers: chooseLayers(backend, layers),
    positions:
      positions === "all" ? SINGLE_POSITIONS : TRACE_POSITIONS.filter((each) => positions.includes(each)),
    indices,
  };
}

/** All that sampled states depend on, beside the tokens. */
export const sampledSettings = (
  { identity, normState }: StateBackend,
  { layers }: Pick<StatesToRead, "layers">,
): Json => ({ model: identity, norm_state: normState, layers });

/** @throws SepError `bad-option` for layers that the model does not have or the backend cannot read */
function chooseLayers(
  { name, model, layers: readable }: StateBackend,
  asked: "all" | readonly LayerName[],
): readonly number[] {
  if (asked === "all" && readable !== undefined) return readable;
  const resolved = resolveLayers(model.config, asked);
  const missing = resolved.filter((layer) => readable !== undefined && !readable.includes(layer));
  if (missing.length === 0) return resolved;
  throw new SepError(
    "bad-option",
    `Got --layers with ${missing.join(", ")}, but this ${name} backend reads only ${readable?.join(", ")}.`,
  );
}

interface TraceMissingOptions {
  readonly backend: StateBackend;
  readonly settings: {
    readonly positions: readonly TracePosition[];
    readonly layers: readonly number[];
    readonly dtype: StatesDtype;
    readonly indices?: PositionIndices;
    readonly answers: AnswerRole;
    readonly [key: string]: Json;
  };
  /** null for a model that reads its own answers. */
  readonly observer: Observer | null;
  /** The file of stretches that the user has marked. */
  readonly spans: string | undefined;
  readonly force: boolean;
  readonly takeSampled: boolean;
  readonly signal: AbortSignal | undefined;
}

async function* traceMissing(
  workspace: Workspace,
  set: DataSetName,
  source: string,
  { backend, settings, observer, spans, force, takeSampled, signal }: TraceMissingOptions,
): AsyncGenerator<StepEvent, StepOutcome> {
  const { layers, positions } = settings;
  const { model } = backend;
  const loaded = await readShardRuns(source, workspace.shard);
  const { runs, warnings: refused } = takeRuns(loaded.runs, source, observer);
  const marked = spans === undefined ? null : await markRuns(spans, loaded.runs, runs);
  const plan = planTrace(runs, {
    positions,
    ...(marked === null ? {} : { marked: marked.spansOf }),
    indices: settings.indices ?? "exact",
    isObserved: observer !== null,
    endTokenIds: model.endTokenIds,
    tokenizer: model.tokenizer,
  });
  const output = workspace.hiddenStates(set);
  const shape = describeShape(backend, set, plan, settings, observe(loaded.runs, observer));
  const journalSettings = {
    ...settings,
    runs_sha256: await fingerprintFile(source),
    ...(spans === undefined ? {} : { spans_sha256: await fingerprintFile(spans) }),
  };
  const unfinished = await openUnfinished(output, shape, journalSettings, force);
  await using writer = unfinished.writer;
  if (!takeSampled) await removeSampledStates(output);
  const rowSize = layers.length * model.config.hiddenSize;
  await using sampled = await openSampledStates(output, sampledSettings(backend, settings), rowSize);

  const missing = plan.questions.filter(({ questionId }) => !unfinished.done.has(questionId));
  const unread = sampled.isEmpty
    ? missing
    : missing.filter(({ rows, runs }) => rows.some((row) => !sampled.has(keyOf(row, runs))));
  const total = plan.questions.length;
  let done = total - missing.length;
  let taken = [...unfinished.done.values()].reduce((sum, rows) => sum + rows, 0);
  const event = { step: "trace", part: set } as const;
  yield { kind: "started", ...event, unit: "question", done, total };
  if (positions.some(isUnitPosition) && missing.length > 0)
    yield { kind: "note", ...event, message: describeStatesSize(shape) };
  if (missing.length > 0) {
    await using reader = unread.length === 0 ? null : yield* backend.openReader(unread.length);
    await using journal = await openJsonlAppender(unfinished.journal);
    const traced = mapConcurrently(
      missing,
      async (question, abort) => ({
        question_id: question.questionId,
        sampled: await traceQuestion(question, writer, { reader, sampled, layers, signal: abort }),
      }),
      // one more than are read at a time, so that the model does not wait while states are written
      { concurrency: (reader?.concurrency ?? 0) + 1, signal },
    );
    for await (const each of traced) {
      await journal.append([each]);
      taken += each.sampled;
      done += 1;
      yield { kind: "advanced", ...event, done, total };
    }
  }
  await writeStateIndex(workspace.hiddenStatesIndex(set), rowsOf(plan));
  const fingerprint = await writer.finish(output);
  const warnings = [
    ...warnOfBadRuns(loaded),
    ...refused,
    ...(marked?.warnings ?? []),
    ...warnOfMissing(plan, runs.length),
  ];
  for (const warning of warnings) yield { kind: "warning", ...event, warning };
  return {
    counts: {
      questions: total,
      runs: runs.length,
      layers: layers.length,
      hidden_size: model.config.hiddenSize,
      ...Object.fromEntries([...plan.rowCounts].map(([position, rows]) => [`rows_${position}`, rows])),
      ...(taken === 0 ? {} : { rows_read_while_sampling: taken }),
    },
    warnings,
    fingerprints: new Map([[output, fingerprint]]),
  };
}

/**
 * The runs in the tokens that are read: their own, or those of the observer.
 * @throws SepError `bad-option` for texts without tokens and no observer, and if the observer can read none of them
 */
function takeRuns(
  runs: readonly RunRecord[],
  source: string,
  observer: Observer | null,
): { readonly runs: readonly TracedRun[]; readonly warnings: readonly ManifestWarning[] } {
  if (observer === null) {
    if (runs.every(({ backend }) => backend !== IMPORTED)) return { runs, warnings: [] };
    throw new SepError(
      "bad-option",
      `${source} was imported: it has texts and no tokens, so the states of the model that wrote them cannot be read. Let a model read the texts with --observer MODEL.`,
    );
  }
  const observed = observeRuns(runs, observer);
  const warnings = warnOfUnread(observed, runs.length);
  if (observed.runs.length > 0 || runs.length === 0) return { runs: observed.runs, warnings };
  const reasons = warnings.map(({ message }) => message).join(" ");
  throw new SepError("bad-option", `The observer can read nothing in ${source}. ${reasons}`);
}

/** What the states record of an observation. */
function observe(
  runs: readonly RunRecord[],
  observer: Observer | null,
): ReturnType<typeof describeObservation> {
  if (observer === null) return {};
  const writer = [...new Set(runs.map(({ model }) => model))].sort().join(", ");
  return describeObservation({ writer, prompt: describeReading(observer) });
}

function describeShape(
  { name, model: { config }, metadata, normState }: StateBackend,
  set: DataSetName,
  { rowCounts }: TracePlan,
  { layers, dtype, answers, indices = "exact" }: TraceMissingOptions["settings"],
  observation: Readonly<Record<string, string>>,
): HiddenStatesShape {
  return {
    rowCounts,
    layers,
    dtype,
    hiddenSize: config.hiddenSize,
    metadata: {
      dataset: set,
      answers,
      ...metadata,
      ...observation,
      backend: name,
      norm_state: normState,
      indices,
      layers: layers.join(","),
      block_count: String(config.blockCount),
      hidden_size: String(config.hiddenSize),
    },
  };
}

const journalOf = (output: string): string => `${partialPathOf(output)}.done.jsonl`;

/** Resumes an unfinished trace of exactly the same runs, layers and positions; otherwise starts a new one. */
async function openUnfinished(
  output: string,
  shape: HiddenStatesShape,
  settings: Readonly<Record<string, Json>>,
  force: boolean,
): Promise<{
  readonly writer: HiddenStatesWriter;
  /** Questions whose states are there, and how many of them were read while sampling. */
  readonly done: ReadonlyMap<string, number>;
  readonly journal: string;
}> {
  const partial = partialPathOf(output);
  const journal = journalOf(output);
  const before = force ? null : await readJournalSettings(journal);
  if (before !== null && stableStringify(before) === stableStringify(settings)) {
    // the output itself is complete, but its step was stopped before it could write its manifest
    const writer = (await reopenHiddenStates(partial, shape)) ?? (await reopenHiddenStates(output, shape));
    if (writer !== null) return { writer, done: await readDone(journal), journal };
  }
  await removeJournal(journal);
  await rm(partial, { force: true });
  const writer = await createHiddenStates(partial, shape);
  await writeJournalSettings(journal, settings);
  return { writer, done: new Map(), journal };
}

async function readDone(journal: string): Promise<ReadonlyMap<string, number>> {
  await (await openJsonlAppender(journal))[Symbol.asyncDispose](); // mends its end; makes it if it is not there
  const { rows } = await readJsonl(journal, {
    parse: (value) => value as { readonly question_id: string; readonly sampled?: number },
  });
  return new Map(rows.map(({ question_id, sampled = 0 }) => [question_id, sampled]));
}

function warnOfMissing({ missing }: TracePlan, runs: number): ManifestWarning[] {
  return [...missing].flatMap(([position, count]) =>
    count === 0
      ? []
      : [
          {
            code: "position-missing",
            message: `${count} of ${runs} answers have no ${position} token, and so no hidden state there.`,
          },
        ],
  );
}
