import { ROWS_PER_PASS } from "../../checkpoint/load-model.ts";
import {
  type MachinePlan,
  type PlanTrial,
  planSubject,
  type TriedPlan,
  writePlanTrial,
} from "../../checkpoint/machine-plan.ts";
import type { OpeningEvent } from "../../checkpoint/opening-event.ts";
import { WHOLE_DISTRIBUTION } from "../../engine/generate/sampler-settings.ts";
import type { LanguageModel } from "../../engine/language-model.ts";
import type { AnswerSampler } from "../../samples/answer-backend.ts";
import { startCopies } from "./local-engine.ts";

/** A trial takes as long as a few of the answers to so many questions. */
export const QUESTIONS_WORTH_A_TRIAL = 64;

/** Rows per pass that are tried: the rule of thumb, more, and fewer, which suffice without fast integer products. */
const ROWS_TO_TRY = [ROWS_PER_PASS, 2 * ROWS_PER_PASS, 40, 20];

interface TryPlansOptions {
  readonly signal?: AbortSignal | undefined;
  /**
   * Measures a plan, in tokens per second.
   * @internal
   */
  readonly measure?: typeof measurePlans;
}

/** A plan's speed, and what its workers got of their CPUs. */
type MeasuredPlan = TriedPlan & Pick<PlanTrial, "cpuShare">;

/** With less of their CPUs, workers wait for other processes, and how many there are hardly matters. */
const LEAST_SHARE = 0.8;

/** Whether a trial was ended by other work on the machine, so that it says nothing and is not kept. */
export const wasBusy = ({ cpuShare }: Pick<PlanTrial, "cpuShare">): boolean => cpuShare < LEAST_SHARE;

/**
 * Measures how fast a machine generates with some numbers of rows per pass and with half the copies of a model, and keeps
 * the outcome in the cache. Threads per copy are not tried, since an answer's last bits may depend on them: they follow
 * from the machine's threads and memory. On a machine that is busy with other work the trial ends at once: the rule of thumb
 * stays, and nothing is kept.
 * @throws SepError `cache-not-writable`; the signal's reason
 */
export async function* tryPlans(
  model: LanguageModel,
  { signal, measure = measurePlans }: TryPlansOptions = {},
): AsyncGenerator<OpeningEvent, PlanTrial> {
  const { mostWorkers: most, threadsPerWorker } = model;
  const half = Math.ceil(most / 2);
  const at = { step: "plan", part: model.provenance.id } as const;
  const tried: TriedPlan[] = [];
  let total = ROWS_TO_TRY.length + (half < most ? 1 : 0);
  let share = 1;
  const run = async function* (plans: readonly MachinePlan[]): AsyncGenerator<OpeningEvent> {
    for await (const { cpuShare, ...plan } of measure(model, plans)) {
      signal?.throwIfAborted();
      tried.push(plan);
      share = Math.min(share, cpuShare);
      const isBusy = wasBusy({ cpuShare });
      const isLast = isBusy || hasTooFewRows(tried);
      if (isLast) total = tried.length + (half < most && !isBusy && plan.workers === most ? 1 : 0);
      yield { kind: "advanced", ...at, done: tried.length, total };
      if (isLast) return;
    }
  };
  yield { kind: "started", ...at, unit: "plan", done: 0, total };
  // the rule of thumb first, which is what remains if the machine is busy
  yield* run(ROWS_TO_TRY.map((rows) => ({ workers: most, rows })));
  // threads of one core share its arithmetic units, and copies of a large model the way to memory
  if (half < most && !wasBusy({ cpuShare: share }))
    yield* run([{ workers: half, rows: fastest(tried).rows }]);
  const isBusy = wasBusy({ cpuShare: share });
  const trial: PlanTrial = {
    ...planSubject(model.provenance, { threadsPerWorker, mostWorkers: most }),
    model: model.provenance.id,
    tried,
    chosen: isBusy ? (tried[0] as TriedPlan) : choosePlan(tried),
    cpuShare: share,
  };
  if (!isBusy) await writePlanTrial(trial);
  yield { kind: "note", ...at, message: describeTrial(trial) };
  return trial;
}

/** "2 workers with 80 rows per pass: 612 tokens/s" */
export const describePlan = ({ workers, rows, tokensPerSecond }: TriedPlan): string =>
  `${workers} worker${workers === 1 ? "" : "s"} with ${rows} rows per pass: ${Math.round(tokensPerSecond)} tokens/s`;

function describeTrial({ chosen, cpuShare }: PlanTrial): string {
  if (!wasBusy({ cpuShare })) return describePlan(chosen);
  return `other work keeps the CPUs busy (${Math.round(100 * cpuShare)}% of them were left), so nothing was tried: ${describePlan(chosen)}. \`sep doctor --model\` tries again`;
}

/** Differences smaller than this are noise, or not worth the memory of more rows. */
const TOLERANCE = 0.05;

/** The fastest number of copies, with the fewest rows that are about as fast as the most. */
export function choosePlan(tried: readonly TriedPlan[]): TriedPlan {
  const best = fastest(tried);
  const [chosen] = tried
    .filter(({ workers }) => workers === best.workers)
    .filter(({ tokensPerSecond }) => tokensPerSecond >= (1 - TOLERANCE) * best.tokensPerSecond)
    .sort((a, b) => a.rows - b.rows);
  return chosen as TriedPlan;
}

/** Whether the fewest rows that were tried are too few, so that fewer ones need not be tried. */
const hasTooFewRows = (tried: readonly TriedPlan[]): boolean =>
  tried.reduce((fewest, plan) => (plan.rows < fewest.rows ? plan : fewest)).tokensPerSecond <
  (1 - TOLERANCE) * fastest(tried).tokensPerSecond;

const fastest = (tried: readonly TriedPlan[]): TriedPlan =>
  tried.reduce((best, plan) => (plan.tokensPerSecond > best.tokensPerSecond ? plan : best));

/** @param plans with the same number of workers */
async function* measurePlans(
  model: LanguageModel,
  plans: readonly MachinePlan[],
): AsyncGenerator<MeasuredPlan> {
  const workers = plans[0]?.workers ?? 1;
  await using engine = await startCopies(model, { workers, rows: Math.max(...ROWS_TO_TRY) });
  for (const { rows } of plans) {
    const time = (tokens: number): ReturnType<typeof timeDraws> =>
      timeDraws(engine, model.config.vocabularySize, { rows: workers * rows, tokens });
    if (rows === plans[0]?.rows) await time(2); // loads the copies
    const { durationMs } = await time(WARM_UP_TOKENS);
    const perToken = durationMs / WARM_UP_TOKENS;
    const tokens = Math.min(MOST_TOKENS, Math.max(LEAST_TOKENS, Math.round(MEASURED_MS / perToken)));
    const { drawn, durationMs: measuredMs, cpuMs } = await time(tokens);
    const cpuShare = cpuMs / (measuredMs * workers * model.threadsPerWorker);
    yield { workers, rows, tokensPerSecond: (1000 * drawn) / measuredMs, cpuShare };
  }
}

/** Passes of this time are measured, as far as the bounds on tokens allow. */
const MEASURED_MS = 1000;
const WARM_UP_TOKENS = 4;
const LEAST_TOKENS = 6;
const MOST_TOKENS = 64;
/** As in most studies. */
const ROWS_PER_PROMPT = 10;
/** Few, since prompts take time that does not count. */
const PROMPT_TOKENS = 16;

/**
 * Made-up prompts have flat distributions. Samples must differ from the first token on, or they are run as one row; and the
 * tokens that may be drawn must be as few as in real answers, or finding them takes longer than a pass.
 */
const ANY_LIKELY_TOKEN = { ...WHOLE_DISTRIBUTION, temperature: 2, minP: 0.2 };

interface TimedDraws {
  /** Tokens that were drawn in passes of their own. */
  readonly drawn: number;
  readonly durationMs: number;
  /** Of all threads of this process. */
  readonly cpuMs: number;
}

/** Draws answers of some tokens to made-up prompts. */
async function timeDraws(
  engine: AnswerSampler,
  vocabularySize: number,
  { rows, tokens }: { readonly rows: number; readonly tokens: number },
): Promise<TimedDraws> {
  const start = performance.now();
  const cpuBefore = process.cpuUsage();
  const answers = await Promise.all(
    Array.from({ length: rows / ROWS_PER_PROMPT }, (_, prompt) =>
      engine.draw(
        { text: "", tokenIds: invent(prompt, vocabularySize), opensReasoning: false },
        {
          runIds: Array.from({ length: ROWS_PER_PROMPT }, (_, run) => run),
          sampler: { ...ANY_LIKELY_TOKEN, maxNewTokens: tokens, stopStrings: [], stopTokenIds: [] },
          seed: 0,
          streamKey: `${prompt}`,
        },
      ),
    ),
  );
  // a prompt's own pass predicts the first token
  const drawn = answers.flat().reduce((sum, { tokenIds }) => sum + tokenIds.length - 1, 0);
  const { user, system } = process.cpuUsage(cpuBefore);
  return { drawn, durationMs: performance.now() - start, cpuMs: (user + system) / 1000 };
}

/** Token ids from all over the vocabulary. */
const invent = (prompt: number, vocabularySize: number): number[] =>
  Array.from(
    { length: PROMPT_TOKENS },
    (_, i) => ((prompt * PROMPT_TOKENS + i) * 7919 + 11) % vocabularySize,
  );
