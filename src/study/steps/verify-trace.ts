import { stateBackendOf } from "../../backends/local/local-backend.ts";
import type { LanguageModel } from "../../engine/language-model.ts";
import { type LayerStates, stateAt } from "../../engine/layer-states.ts";
import { observationOf } from "../../engine/observation.ts";
import { indicesOf, type TracePosition } from "../../engine/places.ts";
import type { PromptFormat } from "../../engine/tokenizer/prompt-format.ts";
import { SepError } from "../../errors.ts";
import { createRng, shuffle } from "../../math/rng.ts";
import { observeRuns, recordedObserver } from "../../samples/observe-runs.ts";
import { readRuns } from "../../samples/read-runs.ts";
import type { RunRecord, TracedRun } from "../../samples/run-record.ts";
import {
  checkRows,
  createTally,
  createVectorChecker,
  nameRow,
  type TraceCheck,
} from "../../states/check-trace.ts";
import { type HiddenStates, openHiddenStates } from "../../states/hidden-states.ts";
import type { StateBackend, StateReader } from "../../states/state-backend.ts";
import { parseTraceRow, type TraceRow } from "../../states/state-index.ts";
import { decoderFor } from "../../states/trace-plan.ts";
import { fingerprint } from "../../store/fingerprint.ts";
import { describeProblems, readJsonl } from "../../store/jsonl.ts";
import { formatSignificant } from "../../text/format-numbers.ts";
import { requireInput } from "../decide-step.ts";
import type { StepEvent } from "../step.ts";
import { tracedAnswersPath } from "../study-answers.ts";
import type { DataSetName, Workspace } from "../workspace.ts";

export interface VerifyTraceOptions {
  /** Reads the sample a second time: a loaded model, or another backend than the one that traced. */
  readonly model: LanguageModel | StateBackend;
  /** Of an observer's states, if they record only a hash of it: few-shot prompts and templates. */
  readonly promptFormat?: PromptFormat | undefined;
  /** Rows to read again. */
  readonly sample?: number;
  readonly seed?: number;
  readonly signal?: AbortSignal | undefined;
}

/** What is found about a trace. */
export interface TraceVerdict {
  readonly part: DataSetName;
  readonly passed: boolean;
  readonly rows: Readonly<Partial<Record<TracePosition, number>>>;
  readonly layers: readonly number[];
  readonly checks: readonly TraceCheck[];
  /** Of the rows that were read again: largest difference, as a share of the largest number of its vector. */
  readonly largest_difference: number | null;
}

/** As a share of the scale: other kernels, padding and summation orders stay far below it; another token or layer is far above. */
const TOLERANCE = 1e-3;
/** Rows that are read from disk at once. */
const ROWS_AT_A_TIME = 4096;
const DEFAULT_SAMPLE = 32;

/**
 * Checks a trace against its runs: that each row is at the token that its index names, that the vectors are plausible
 * states, and that reading a sample of them again gives the same.
 * @throws SepError `missing-input`, `bad-artifact` for files that cannot be read at all, `bad-option` for imported states,
 *   and an observer's prompt format of which they have only a hash
 */
export async function* verifyTrace(
  workspace: Workspace,
  set: DataSetName,
  { model, promptFormat, sample = DEFAULT_SAMPLE, seed = 42, signal }: VerifyTraceOptions,
): AsyncGenerator<StepEvent, TraceVerdict> {
  const backend = stateBackendOf(model);
  const answers = await tracedAnswersPath(workspace, set);
  for (const path of [answers, workspace.hiddenStates(set), workspace.hiddenStatesIndex(set)])
    await requireInput(path, "trace");
  const hidden = await openHiddenStates(workspace.hiddenStates(set));
  if (hidden.metadata.backend === "imported") {
    throw new SepError(
      "bad-option",
      `${hidden.path} was imported, and its rows do not say which tokens they belong to. Trace the answers again, with --out for another folder.`,
    );
  }
  const rows = await readIndex(workspace.hiddenStatesIndex(set));
  const runs = readAsTraced((await readRuns(answers)).runs, hidden, backend, promptFormat);
  const runOf = findRuns(runs);
  const rowCounts = new Map(hidden.positions.map((position) => [position, hidden.rowCount(position)]));
  const ofRows = checkRows(rows, runOf, {
    rowCounts,
    indices: indicesOf(hidden.metadata),
    endTokenIds: backend.model.endTokenIds,
    decode: decoderFor(backend.model.tokenizer, hidden.positions, runs),
  });
  const event = { step: "trace", part: `${set} verdict` } as const;
  const usable = rows.filter((row) => runOf(row) !== null && row.row < (rowCounts.get(row.position) ?? 0));
  const total = hidden.positions.length * hidden.layers.length;
  yield { kind: "started", ...event, unit: "tensor", done: 0, total };
  const vectors = createVectorChecker();
  let done = 0;
  for (const position of hidden.positions) {
    const own = usable.filter((row) => row.position === position);
    const prefixes = new Map(own.map((row) => [row, hashPrefix(row, runOf(row) as TracedRun)]));
    for (const layer of hidden.layers) {
      signal?.throwIfAborted();
      const read: Float32Array[] = [];
      for (let start = 0; start < own.length; start += ROWS_AT_A_TIME) {
        const part = own.slice(start, start + ROWS_AT_A_TIME);
        read.push(
          await hidden.read(
            position,
            layer,
            part.map(({ row }) => row),
          ),
        );
      }
      vectors.look(own, layer, join(read), (row) => prefixes.get(row) as string);
      done += 1;
      yield { kind: "advanced", ...event, done, total };
    }
  }
  const ofModel = checkModel(hidden, backend);
  const readable = usable.filter((row) => isReadable(row, runOf(row) as TracedRun));
  const { check, largest } = yield* readAgain(hidden, pick(readable, sample, seed), runOf, {
    backend,
    obstacle: ofModel.failed > 0 ? "the states are not of this model" : null,
    signal,
  });
  const checks = [...ofRows, ...vectors.finish(), ofModel, check];
  return {
    part: set,
    passed: checks.every(({ failed }) => failed === 0),
    rows: Object.fromEntries(rowCounts),
    layers: hidden.layers,
    checks,
    largest_difference: largest,
  };
}

async function readIndex(path: string): Promise<readonly TraceRow[]> {
  const { rows, problems } = await readJsonl(path, { parse: parseTraceRow });
  if (problems.length === 0) return rows;
  throw new SepError(
    "bad-artifact",
    `${path}: ${describeProblems(problems)}. Make it again with \`sep trace --force\`.`,
  );
}

/** The runs in the tokens that were read: their own, or those of an observer. */
function readAsTraced(
  runs: readonly RunRecord[],
  { metadata }: HiddenStates,
  { model }: StateBackend,
  format: PromptFormat | undefined,
): readonly TracedRun[] {
  const observed = observationOf(metadata);
  return observed === null ? runs : observeRuns(runs, recordedObserver(model, observed.prompt, format)).runs;
}

function findRuns(runs: readonly TracedRun[]): (row: TraceRow) => TracedRun | null {
  const key = (questionId: string, runId: number | null): string => JSON.stringify([questionId, runId]);
  const byRun = new Map(runs.map((run) => [key(run.question_id, run.run_id), run]));
  for (const run of runs) {
    const shared = key(run.question_id, null);
    if (!byRun.has(shared)) byRun.set(shared, run);
  }
  return ({ question_id, run_id }) => byRun.get(key(question_id, run_id)) ?? null;
}

const hashPrefix = ({ token_index }: TraceRow, { prompt_tokens, tokens }: TracedRun): string =>
  fingerprint([...prompt_tokens, ...tokens].slice(0, token_index + 1).join(" "));

function checkModel(
  { metadata, width }: HiddenStates,
  { metadata: own, normState, model }: StateBackend,
): TraceCheck {
  const tally = createTally("model");
  const expected: Record<string, string> = {
    ...own,
    norm_state: normState,
    hidden_size: String(model.config.hiddenSize),
  };
  const found: Record<string, string> = { ...metadata, hidden_size: String(width) };
  // the same weights may go by two names
  const identity =
    found.weights_sha256 !== undefined && expected.weights_sha256 !== undefined ? "weights_sha256" : "model";
  for (const key of [identity, "tokenizer_sha256", "dtype", "norm_state", "hidden_size"]) {
    if (found[key] === undefined || expected[key] === undefined) continue;
    tally.count(found[key] === expected[key] ? null : `${key} is ${found[key]}, here ${expected[key]}`);
  }
  return tally.finish();
}

/** Whether a row is at a token that a trace reads: the prompt's last one, or one of the answer. */
const isReadable = ({ token_index }: TraceRow, { prompt_tokens, tokens }: TracedRun): boolean =>
  token_index >= prompt_tokens.length - 1 && token_index < prompt_tokens.length + tokens.length;

/** Rows spread over positions and questions. */
function pick(rows: readonly TraceRow[], count: number, seed: number): readonly TraceRow[] {
  const rng = createRng("verify-trace", seed);
  const positions = [...new Set(rows.map(({ position }) => position))];
  const shuffled = positions.map((position) =>
    shuffle(
      rows.filter((row) => row.position === position),
      rng,
    ),
  );
  const longest = Math.max(0, ...shuffled.map(({ length }) => length));
  const dealt = Array.from({ length: longest }, (_, i) => shuffled.map((own) => own[i])).flat();
  return dealt.filter((row) => row !== undefined).slice(0, count);
}

async function* readAgain(
  hidden: HiddenStates,
  rows: readonly TraceRow[],
  runOf: (row: TraceRow) => TracedRun | null,
  {
    backend,
    obstacle,
    signal,
  }: {
    readonly backend: StateBackend;
    readonly obstacle: string | null;
    readonly signal: AbortSignal | undefined;
  },
): AsyncGenerator<StepEvent, { readonly check: TraceCheck; readonly largest: number | null }> {
  const tally = createTally("agreement");
  const layers = hidden.layers.filter((layer) => backend.layers?.includes(layer) ?? true);
  const reason =
    obstacle ??
    (rows.length === 0 ? "no rows were asked for" : layers.length === 0 ? "no layer in common" : null);
  if (reason !== null) {
    tally.skip(reason);
    return { check: tally.finish(), largest: null };
  }
  let largest = 0;
  await using reader = yield* backend.openReader(rows.length);
  for (const row of rows) {
    signal?.throwIfAborted();
    const again = await readRow(reader, row, runOf(row) as TracedRun, layers, signal);
    for (const [l, layer] of layers.entries()) {
      const stored = await hidden.read(row.position, layer, [row.row]);
      const difference = compare(stored, again.subarray(l * hidden.width, (l + 1) * hidden.width));
      largest = Math.max(largest, difference);
      tally.count(
        difference <= TOLERANCE
          ? null
          : `${nameRow(row)}, layer ${layer}: differs by ${formatSignificant(difference, 2)} of its scale, at most ${TOLERANCE}`,
      );
    }
  }
  return { check: tally.finish(), largest };
}

/** @returns [layers, D] */
async function readRow(
  reader: StateReader,
  { token_index }: TraceRow,
  { prompt_tokens, tokens }: TracedRun,
  layers: readonly number[],
  signal: AbortSignal | undefined,
): Promise<Float32Array> {
  const isPrompt = token_index < prompt_tokens.length;
  const answers = isPrompt ? [] : [{ tokenIds: tokens, indices: [token_index] }];
  const traced = await reader.read(prompt_tokens, answers, { layers, signal });
  if (isPrompt) return traced.beforeGeneration;
  return stateAt(traced.answers[0] as LayerStates, 0, traced.beforeGeneration.length / layers.length);
}

/** @returns the largest difference as a share of the largest magnitude; infinite if a value is not finite */
function compare(stored: Float32Array, again: Float32Array): number {
  let difference = 0;
  let scale = 0;
  for (let i = 0; i < stored.length; i++) {
    const gap = Math.abs((stored[i] as number) - (again[i] as number));
    if (Number.isNaN(gap)) return Number.POSITIVE_INFINITY;
    difference = Math.max(difference, gap);
    scale = Math.max(scale, Math.abs(again[i] as number));
  }
  return difference === 0 ? 0 : difference / scale;
}

function join(parts: readonly Float32Array[]): Float32Array {
  if (parts.length === 1) return parts[0] as Float32Array;
  const whole = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let start = 0;
  for (const part of parts) {
    whole.set(part, start);
    start += part.length;
  }
  return whole;
}
