import type { DecoderConfig } from "../graph/decoder-config.ts";
import type { DecoderSession } from "../session/decoder-session.ts";
import {
  capacityFor,
  createKvRows,
  type KvBlock,
  type KvRows,
  type KvStep,
  kvBytesPerToken,
  suffixCapacityFor,
} from "../session/kv-block.ts";
import type { VocabularySession } from "../session/vocabulary-session.ts";
import { type Prediction, readPredictions } from "./prediction.ts";
import { type PrefilledPrompt, type PromptCache, type PromptTokens, prefillPrompt } from "./prefill.ts";

/** Rows to generate after one prompt. */
export interface BatchJob {
  readonly prompt: PromptTokens | PrefilledPrompt;
  /** Rows; the first ones are begun first. */
  readonly rows: number;
  /** Tokens that a row gets at most. */
  readonly maxTokens: number;
  readonly temperature: number;
  /** Residual layers to read; those of a prompt that was run. */
  readonly layers: readonly number[];
  readonly signal: AbortSignal | undefined;
  /** Takes a prediction and chooses the token that the row goes on with; null where the row ends without another pass. */
  next(row: number, prediction: Prediction): RowStep | null;
  /** A row has had its last pass, which only read its last token. @param residual [layers * D] */
  close(row: number, residual: Float32Array): void;
  /** All rows have ended. */
  finish(): void;
  /** Nothing more will come. */
  fail(reason: unknown): void;
}

interface RowStep {
  readonly tokenId: number;
  /** The token is the row's last, and is run to read the residual stream at it. */
  readonly isLast: boolean;
}

/** What a batch may hold. */
export interface BatchLimits {
  /** In one pass. */
  readonly rows: number;
  /** Keys and values of all rows and prompts; one row runs whatever it takes. */
  readonly kvBytes: number;
}

/**
 * Runs the rows of all jobs in the same passes: a pass of forty rows takes a fraction of the time of forty passes. Rows join
 * when others end; a long prompt is run in chunks between the steps of other rows. What a row computes does not depend on
 * the rows beside it.
 */
export interface Batcher {
  /** What has run since the batcher was made. */
  readonly usage: BatchUsage;
  /** @returns a function that withdraws the job; its rows are dropped before the next pass */
  submit(job: BatchJob): () => void;
}

/** How full the passes of a batcher were that extended rows by a token. */
export interface BatchUsage {
  readonly passes: number;
  /** Rows of all those passes together. */
  readonly rows: number;
  /** Rows that they had room for. */
  readonly room: number;
}

/** A job in work. */
interface RunningJob {
  readonly job: BatchJob;
  readonly prefilling: AsyncGenerator<void, PrefilledPrompt>;
  /** The prompt, and what it predicts, once it has been run. */
  ready: { readonly prefilled: PrefilledPrompt; readonly first: Prediction } | null;
  /** How many of its rows have begun, and how many of these run. */
  begun: number;
  active: number;
  /** Index of its prompt among the prefixes; null while none of its rows runs. */
  group: number | null;
  isOver: boolean;
}

interface ActiveRow {
  readonly owner: RunningJob;
  /** In the job. */
  readonly index: number;
  /** null when the row has ended. */
  step: RowStep | null;
}

/** What a batcher runs on. */
export interface BatcherParts {
  readonly session: DecoderSession;
  readonly vocabulary: VocabularySession;
  /** Prompts that were run before; without it each is run again. */
  readonly cache?: PromptCache;
  /** onnxruntime's threads within a pass. */
  readonly threads: number;
}

export function createBatcher(
  { session, vocabulary, cache, threads }: BatcherParts,
  limits: BatchLimits,
): Batcher {
  const { config } = session;
  let jobs: RunningJob[] = [];
  let usage: BatchUsage = { passes: 0, rows: 0, room: 0 };
  const batch = createBatch(config, threads, limits);
  let isRunning = false;

  const end = (owner: RunningJob, failure?: { readonly reason: unknown }): void => {
    if (owner.isOver) return;
    owner.isOver = true;
    jobs = jobs.filter((other) => other !== owner);
    if (failure === undefined) owner.job.finish();
    else owner.job.fail(failure.reason);
  };
  /** Does a job's own work; its failure is the end of that job, and of no other. */
  const attempt = async (owner: RunningJob, work: () => Promise<void> | void): Promise<void> => {
    if (owner.isOver) return;
    try {
      owner.job.signal?.throwIfAborted();
      await work();
      if (owner.begun === owner.job.rows && owner.active === 0) end(owner);
    } catch (reason) {
      end(owner, { reason });
    }
  };

  /** Begins rows, the first job's first; while rows run, only one pass of a prompt comes between two of theirs. */
  const admit = async (): Promise<void> => {
    let hasPrefilled = false;
    for (const owner of jobs) {
      if (owner.isOver || owner.begun === owner.job.rows) continue;
      if (!batch.fits(owner)) return;
      if (owner.ready === null && hasPrefilled && batch.rows.length > 0) return;
      await attempt(owner, async () => {
        while (owner.ready === null) {
          const pass = await owner.prefilling.next();
          hasPrefilled = true;
          if (pass.done) owner.ready = await readFirst(vocabulary, owner.job, pass.value);
          else if (batch.rows.length > 0) return;
        }
        const { prefilled, first } = owner.ready;
        while (owner.begun < owner.job.rows && batch.fits(owner)) {
          const index = owner.begun++;
          const step = owner.job.next(index, first);
          if (step !== null) batch.add({ owner, index, step }, prefilled.prefix);
        }
      });
      if (owner.ready === null && !owner.isOver) return;
    }
  };

  const step = async (): Promise<void> => {
    usage = {
      passes: usage.passes + 1,
      rows: usage.rows + batch.rows.length,
      room: usage.room + limits.rows,
    };
    const { predicted, closed } = await runPass(session, vocabulary, batch);
    for (const { row, prediction } of predicted)
      await attempt(row.owner, () => {
        row.step = row.owner.job.next(row.index, prediction);
      });
    for (const { row, residual } of closed)
      await attempt(row.owner, () => {
        row.owner.job.close(row.index, residual);
        row.step = null;
      });
  };

  const run = async (): Promise<void> => {
    try {
      while (jobs.length > 0) {
        batch.removeEnded();
        for (const owner of jobs) await attempt(owner, () => undefined);
        await admit();
        if (batch.rows.length > 0) await step();
      }
    } catch (reason) {
      for (const owner of jobs) end(owner, { reason });
    } finally {
      // at once, since whoever got its answers may already be about to submit more
      batch.removeEnded();
      isRunning = false;
    }
  };

  return {
    get usage() {
      return usage;
    },
    submit(job) {
      const prefilling =
        "prefix" in job.prompt
          ? runAlready(job.prompt)
          : prefillPrompt(session, job.prompt, { layers: job.layers, signal: job.signal, cache });
      const owner: RunningJob = {
        job,
        prefilling,
        ready: null,
        begun: 0,
        active: 0,
        group: null,
        isOver: false,
      };
      jobs = [...jobs, owner];
      if (!isRunning) {
        isRunning = true;
        void run();
      }
      return () => {
        owner.isOver = true;
        jobs = jobs.filter((other) => other !== owner);
      };
    },
  };
}

async function* runAlready(prompt: PrefilledPrompt): AsyncGenerator<void, PrefilledPrompt> {
  return prompt;
}

/**
 * How many rows of no tokens must run beside a row, so that its numbers do not depend on the rows beside it: products of a
 * row or a prompt are split among threads, which changes their rounding, unless there are as many of them as threads; and
 * where there is one only, all its vectors are multiplied at once.
 */
export const countIdleRows = ({ kvHeadCount }: DecoderConfig, threads: number): number =>
  Math.ceil(Math.max(2, threads) / kvHeadCount) - 1;

/** The rows that run, with their keys and values. */
interface Batch {
  readonly rows: readonly ActiveRow[];
  /**
   * Rows and prompts of no tokens before them, as {@link countIdleRows} says.
   */
  readonly idle: number;
  readonly prefixes: KvRows;
  readonly suffixes: KvRows;
  /** Whether one more row of a job fits beside those that run. */
  fits(owner: RunningJob): boolean;
  add(row: ActiveRow, prefix: KvBlock): void;
  /** Removes rows that have ended, and those of jobs that are over. */
  removeEnded(): void;
}

function createBatch(config: DecoderConfig, threads: number, limits: BatchLimits): Batch {
  const rows: ActiveRow[] = [];
  const groups: RunningJob[] = [];
  const suffixes = createKvRows(config, limits.rows, suffixCapacityFor);
  const prefixes = createKvRows(config, 1);
  const idle = countIdleRows(config, threads);
  for (let i = 0; i < idle; i++) {
    suffixes.add();
    prefixes.add();
  }
  const capacity = (lengths: readonly number[]): number => capacityFor(config, Math.max(...lengths));

  const remove = (at: number): void => {
    const { owner } = rows[at] as ActiveRow;
    suffixes.remove(idle + at);
    moveLastTo(rows, at);
    owner.active -= 1;
    if (owner.active > 0) return;
    const group = owner.group as number;
    prefixes.remove(group);
    moveLastTo(groups, group - idle);
    const moved = groups[group - idle];
    if (moved !== undefined) moved.group = group;
    owner.group = null;
  };
  return {
    rows,
    idle,
    prefixes,
    suffixes,
    fits(owner) {
      if (rows.length === 0) return true;
      if (rows.length >= limits.rows) return false;
      const prompts = owner.group === null ? [...groups, owner] : groups;
      const tokens =
        prompts.length * capacity(prompts.map(({ job }) => job.prompt.tokenIds.length)) +
        (rows.length + 1) * capacity([owner, ...groups].map(({ job }) => job.maxTokens));
      return tokens * kvBytesPerToken(config) <= limits.kvBytes;
    },
    add(row, prefix) {
      const { owner } = row;
      if (owner.group === null) {
        owner.group = prefixes.add(prefix);
        groups.push(owner);
      }
      owner.active += 1;
      suffixes.add();
      rows.push(row);
    },
    removeEnded() {
      for (let at = rows.length - 1; at >= 0; at--) {
        const row = rows[at] as ActiveRow;
        if (row.step === null || row.owner.isOver) remove(at);
      }
    },
  };
}

function moveLastTo<T>(items: T[], index: number): void {
  const last = items.pop() as T;
  if (index < items.length) items[index] = last;
}

const IDLE_TOKEN = 0;

interface PassOutcome {
  readonly predicted: readonly { readonly row: ActiveRow; readonly prediction: Prediction }[];
  readonly closed: readonly { readonly row: ActiveRow; readonly residual: Float32Array }[];
}

/** Runs each row's last token. */
async function runPass(
  session: DecoderSession,
  vocabulary: VocabularySession,
  { rows, idle, prefixes, suffixes }: Batch,
): Promise<PassOutcome> {
  const idles = Array.from({ length: idle }, (_, index) => index);
  const at = rows.map((row, index) => ({
    row,
    index: idle + index,
    step: row.step as RowStep,
    job: row.owner.job,
  }));
  const predicting = at.filter(({ step }) => !step.isLast);
  const tracing = at.filter(({ job }) => job.layers.length > 0);
  const layers = [...new Set(tracing.flatMap(({ job }) => job.layers))];
  const pass = await session.run({
    tokenIds: [...idles.map(() => IDLE_TOKEN), ...at.map(({ step }) => step.tokenId)],
    rows: idle + rows.length,
    prefix: prefixes.block,
    groupOf: [...idles, ...rows.map(({ owner }) => owner.group as number)],
    suffix: suffixes.block,
    logitRows: predicting.map(({ index }) => index),
    traceRows: tracing.map(({ index }) => index),
    layers,
    finalNorm: false,
    keepKv: true,
  });
  suffixes.append(pass.kv as KvStep, idle);
  const { hiddenSize } = session.config;
  const residuals = new Map<ActiveRow, Float32Array>();
  for (const [traced, { row, job }] of tracing.entries()) {
    const residual = new Float32Array(job.layers.length * hiddenSize);
    for (const [i, layer] of job.layers.entries()) {
      const all = pass.residuals[layers.indexOf(layer)] as Float32Array;
      residual.set(all.subarray(traced * hiddenSize, (traced + 1) * hiddenSize), i * hiddenSize);
    }
    residuals.set(row, residual);
  }
  const predictions = await readPredictions(
    vocabulary,
    pass.logits,
    predicting.map(({ row, job: { temperature } }) => ({
      temperature,
      residual: residuals.get(row) ?? null,
    })),
  );
  return {
    predicted: predicting.map(({ row }, index) => ({ row, prediction: predictions[index] as Prediction })),
    closed: at.flatMap(({ row, step }) =>
      step.isLast ? [{ row, residual: residuals.get(row) as Float32Array }] : [],
    ),
  };
}

async function readFirst(
  vocabulary: VocabularySession,
  { temperature }: BatchJob,
  prefilled: PrefilledPrompt,
): Promise<NonNullable<RunningJob["ready"]>> {
  const { logits, residual } = prefilled;
  const [first] = await readPredictions(vocabulary, logits, [{ temperature, residual }]);
  return { prefilled, first: first as Prediction };
}
