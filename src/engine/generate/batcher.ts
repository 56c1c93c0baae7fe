import type { DecoderSession } from "../session/decoder-session.ts";
import type { LogitReach } from "../session/vocabulary.ts";
import type { BatchLimits, Member, RowClaim, RowStep } from "./batch.ts";
import { type Cohorts, createCohorts } from "./cohorts.ts";
import { type Prediction, predictFirst } from "./prediction.ts";
import {
  CHUNK_TOKENS,
  createPrefill,
  type Prefill,
  type PrefilledPrompt,
  type PromptCache,
  type PromptTokens,
} from "./prefill.ts";

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
  /** The logits that choosing a row's next token needs. */
  reach(row: number): LogitReach;
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
 * when others end; prompts are run between the steps of other rows, long ones in chunks. What a row computes does not depend
 * on the rows beside it, so that rows of a job are run as one until they choose different tokens.
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
  /** Passes that had fewer rows since the keys and values of more would have taken too much memory. */
  readonly short: number;
}

/** A job in work. */
interface RunningJob {
  readonly job: BatchJob;
  readonly prefill: Prefill;
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

/**
 * Tokens of prompts between two steps: how long the reader of an answer may have to wait for its next token. A chunk of a
 * long prompt makes them wait as long.
 */
const PROMPT_TOKENS_PER_STEP = CHUNK_TOKENS;

export function createBatcher({ session, cache, threads }: BatcherParts, limits: BatchLimits): Batcher {
  let jobs: RunningJob[] = [];
  let usage: BatchUsage = { passes: 0, rows: 0, room: 0, short: 0 };
  const batch = createCohorts<RunningJob>({ session, threads }, limits);
  let isRunning = false;
  let isOldestFirst = false;

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

  /** Runs prompts and begins rows, with as many tokens of prompts as may come between two steps. */
  const admit = async (): Promise<void> => {
    isOldestFirst = !isOldestFirst;
    let left = PROMPT_TOKENS_PER_STEP;
    for (;;) {
      const waiting = jobs.filter(({ begun, job }) => begun < job.rows);
      const owner = chooseNext(batch, waiting, { isOldestFirst, left });
      if (owner === null) return;
      await attempt(owner, async () => {
        if (owner.ready === null) {
          const { ran, prefilled } = await owner.prefill.advance();
          left -= ran;
          if (prefilled === null) return;
          owner.ready = { prefilled, first: predictFirst(prefilled, owner.job.temperature) };
        }
        const { prefilled, first } = owner.ready;
        const oldest = claimOldest(waiting, owner);
        const members: Member[] = [];
        while (owner.begun < owner.job.rows && batch.fits([...oldest, { owner, rows: members.length + 1 }])) {
          const index = owner.begun++;
          members.push({ index, step: owner.job.next(index, first) });
        }
        batch.add(owner, members, prefilled.prefix);
      });
    }
  };

  const step = async (): Promise<void> => {
    const lacksMemory = (owner: RunningJob): boolean =>
      owner.begun < owner.job.rows && !batch.hasMemory([{ owner, rows: 1 }]);
    const { memberCount, predicted, closed } = await batch.run();
    usage = {
      passes: usage.passes + 1,
      rows: usage.rows + memberCount,
      room: usage.room + limits.rows,
      short: usage.short + (memberCount < limits.rows && jobs.some(lacksMemory) ? 1 : 0),
    };
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
        if (batch.memberCount > 0) await step();
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
      const { prompt, layers, signal } = job;
      const prefill =
        "prefix" in prompt ? runAlready(prompt) : createPrefill(session, prompt, { layers, signal, cache });
      const owner: RunningJob = { job, prefill, ready: null, begun: 0, isOver: false };
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

/**
 * Whose prompt is run, or whose rows begin, next. Every other step it is the oldest job's turn first; else those come first
 * that have the fewest tokens left, so that a question does not wait for a document before it. A younger job may only take
 * room that the oldest does not need.
 * @param waiting jobs with rows that have not begun, the oldest first
 * @returns null if there is none, or no room, or nothing that the rows that run would wait for
 */
function chooseNext(
  batch: Cohorts<RunningJob>,
  waiting: readonly RunningJob[],
  { isOldestFirst, left }: { readonly isOldestFirst: boolean; readonly left: number },
): RunningJob | null {
  const [oldest] = waiting;
  if (oldest === undefined || !batch.fits([{ owner: oldest, rows: 1 }])) return null;
  const sized = waiting.map((owner) => ({
    owner,
    ...(owner.ready === null ? owner.prefill.upcoming() : { pass: 0, left: 0 }),
  }));
  const shortestFirst = [...sized].sort((a, b) => a.left - b.left);
  const candidates = isOldestFirst ? [sized[0] as (typeof sized)[0], ...shortestFirst] : shortestFirst;
  const chosen = candidates.find(
    ({ owner, pass }) => pass <= left && batch.fits([...claimOldest(waiting, owner), { owner, rows: 1 }]),
  );
  return chosen?.owner ?? null;
}

/** The room that a job leaves to the oldest of those that wait, if that is another one. */
const claimOldest = ([oldest]: readonly RunningJob[], owner: RunningJob): readonly RowClaim<RunningJob>[] =>
  oldest === undefined || oldest === owner ? [] : [{ owner: oldest, rows: 1 }];

const runAlready = (prefilled: PrefilledPrompt): Prefill => ({
  upcoming: () => ({ pass: 0, left: 0 }),
  advance: async () => ({ ran: 0, prefilled }),
});
