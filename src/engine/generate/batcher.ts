import type { DecoderSession } from "../session/decoder-session.ts";
import type { LogitReach } from "../session/vocabulary.ts";
import { type BatchLimits, createBatch, type Member, type RowStep } from "./batch.ts";
import { type Prediction, predictFirst } from "./prediction.ts";
import { type PrefilledPrompt, type PromptCache, type PromptTokens, prefillPrompt } from "./prefill.ts";

/** Rows to generate after one prompt. */
export interface BatchJob {
  readonly prompt: PromptTokens | PrefilledPrompt;
  /** Rows; the first ones are begun first. */
  readonly rows: number;
  /** Tokens that a row gets at most. */
  readonly maxTokens: number;
  readonly temperature: number;
  /** The logits that choosing a token needs. */
  readonly reach: LogitReach;
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

/**
 * Runs the rows of all jobs in the same passes: a pass of eighty rows takes a fraction of the time of eighty passes. Rows join
 * when others end; a long prompt is run in chunks between the steps of other rows. What a row computes does not depend on
 * the rows beside it, so that rows of a job are run as one until they choose different tokens.
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
  /** How many of its rows have begun. */
  begun: number;
  isOver: boolean;
}

/** What a batcher runs on. */
export interface BatcherParts {
  readonly session: DecoderSession;
  /** Prompts that were run before; without it each is run again. */
  readonly cache?: PromptCache;
  /** onnxruntime's threads within a pass. */
  readonly threads: number;
}

export function createBatcher({ session, cache, threads }: BatcherParts, limits: BatchLimits): Batcher {
  let jobs: RunningJob[] = [];
  let usage: BatchUsage = { passes: 0, rows: 0, room: 0 };
  const batch = createBatch<RunningJob>({ session, threads }, limits);
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
      if (owner.begun === owner.job.rows && !batch.holds(owner)) end(owner);
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
          if (pass.done)
            owner.ready = {
              prefilled: pass.value,
              first: predictFirst(pass.value, owner.job.temperature),
            };
          else if (batch.rows.length > 0) return;
        }
        const { prefilled, first } = owner.ready;
        const members: Member[] = [];
        while (owner.begun < owner.job.rows && batch.fits(owner, members.length)) {
          const index = owner.begun++;
          members.push({ index, step: owner.job.next(index, first) });
        }
        batch.add(owner, members, prefilled.prefix);
      });
      if (owner.ready === null && !owner.isOver) return;
    }
  };

  const step = async (): Promise<void> => {
    usage = {
      passes: usage.passes + 1,
      rows: usage.rows + batch.memberCount,
      room: usage.room + limits.rows,
    };
    const { predicted, closed } = await batch.run();
    for (const { row, prediction } of predicted)
      await attempt(row.owner, () => {
        for (const member of row.members) member.step = row.owner.job.next(member.index, prediction);
      });
    for (const { row, residual } of closed)
      await attempt(row.owner, () => {
        for (const member of row.members) {
          row.owner.job.close(member.index, residual);
          member.step = null;
        }
      });
  };

  const run = async (): Promise<void> => {
    try {
      while (jobs.length > 0) {
        batch.settle();
        for (const owner of jobs) await attempt(owner, () => undefined);
        await admit();
        if (batch.rows.length > 0) await step();
      }
    } catch (reason) {
      for (const owner of jobs) end(owner, { reason });
    } finally {
      // at once, since whoever got its answers may already be about to submit more
      batch.settle();
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
      const owner: RunningJob = { job, prefilling, ready: null, begun: 0, isOver: false };
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
