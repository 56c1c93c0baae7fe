import { rm } from "node:fs/promises";
import { locateSteps, readAnswerText } from "../../engine/answer-text.ts";
import type { SampledAnswer } from "../../engine/generate/generate.ts";
import type { SamplerSettings } from "../../engine/generate/sampler-settings.ts";
import { findThinkTags } from "../../engine/generate/split-reasoning.ts";
import { SepError } from "../../errors.ts";
import type { Json } from "../../formats/json.ts";
import { mean } from "../../math/vector.ts";
import { allOrNone, mapConcurrently } from "../../net/map-concurrently.ts";
import type { AnswerBackend, AnswerSampler } from "../../samples/answer-backend.ts";
import { countAnswerTokens } from "../../samples/count-answer-tokens.ts";
import { type ForcedAnswer, parseForcedAnswer } from "../../samples/forced-answers.ts";
import { gradeAnswer } from "../../samples/grade-answer.ts";
import { loadQuestions } from "../../samples/load-questions.ts";
import type { Question } from "../../samples/question.ts";
import { readRuns } from "../../samples/read-runs.ts";
import type { RunRecord } from "../../samples/run-record.ts";
import { runKey } from "../../samples/samples.ts";
import { openJsonlAppender } from "../../store/append-jsonl.ts";
import { fingerprintFile } from "../../store/fingerprint.ts";
import { partialPathOf, removeJournal, resumeJournal } from "../../store/journal.ts";
import { writeJsonl } from "../../store/jsonl.ts";
import type { ManifestWarning } from "../../store/manifest.ts";
import { CORRECTNESS_RULES, type CorrectnessRule } from "../../text/open-answer.ts";
import { FORCE_SETTINGS } from "../settings/exit.ts";
import { resolveSettings, type SettingsInput } from "../settings/setting.ts";
import { runStep, type StepControl, type StepEvent, type StepOutcome, type StepResult } from "../step.ts";
import type { DataSetName, Workspace } from "../workspace.ts";

export interface ForceAnswersOptions extends StepControl, SettingsInput<typeof FORCE_SETTINGS> {
  readonly model: AnswerBackend;
  readonly signal?: AbortSignal | undefined;
}

/**
 * At the end of each step of every chain, closes the reasoning as the model itself closes it, and lets the model answer
 * greedily from there; the chain itself stays as it is. What a chain's forks have in common is run once. An interrupted step goes on
 * where it stopped.
 * @throws SepError `missing-input`; `bad-option` for another model than the chains', or where no chain has reasoning; those of
 *   `runStep`
 */
export async function* forceAnswers(
  workspace: Workspace,
  set: DataSetName,
  { model: backend, force, plan, signal, ...options }: ForceAnswersOptions,
): AsyncGenerator<StepEvent, StepResult> {
  const settings = { ...resolveSettings(FORCE_SETTINGS, options), model: backend.identity };
  const definition = {
    step: "force",
    part: set,
    inputs: [workspace.runs(set), workspace.raw(set)],
    outputs: [workspace.forcedAnswers(set)],
    settings,
    whenStale: "redo",
    cleanUp: () => removeJournal(partialPathOf(workspace.forcedAnswers(set))),
  } as const;
  return yield* runStep(workspace, definition, { force, plan }, () =>
    forceAll(workspace, set, backend, settings, { force: force ?? false, signal }),
  );
}

async function* forceAll(
  workspace: Workspace,
  set: DataSetName,
  backend: AnswerBackend,
  settings: { readonly answerTokens: number; readonly model: Json },
  { force, signal }: { readonly force: boolean; readonly signal: AbortSignal | undefined },
): AsyncGenerator<StepEvent, StepOutcome> {
  const output = workspace.forcedAnswers(set);
  const { runs } = await readRuns(workspace.runs(set));
  const { questions } = await loadQuestions(workspace.raw(set));
  const asked = new Map(questions.map((question) => [question.id, question]));
  const chains = planChains(runs, backend);
  requireChains(runs, chains, backend);
  const closing = commonClosing(chains);
  const known = { ...settings, closing, runs_sha256: await fingerprintFile(workspace.runs(set)) };
  const done = await openDone(partialPathOf(output), known, force);
  const missing = chains.filter(({ run }) => !done.has(runKey(run.question_id, run.run_id)));
  const event = { step: "force", part: set } as const;
  const total = chains.length;
  yield { kind: "started", ...event, unit: "answer", done: total - missing.length, total };
  yield { kind: "note", ...event, message: `reasoning is closed with ${JSON.stringify(closing)}` };
  if (missing.length > 0) {
    await using sampler = yield* backend.openSampler([], { signal });
    await using journal = await openJsonlAppender(partialPathOf(output));
    const forced = mapConcurrently(
      missing,
      async (chain, abort) =>
        forceChain(chain, asked.get(chain.run.question_id) ?? null, sampler, {
          closing,
          backend,
          answerTokens: settings.answerTokens,
          signal: abort,
        }),
      { concurrency: sampler.concurrency, signal },
    );
    for await (const { run, answers } of forced) {
      await journal.append([{ question_id: run.question_id, run_id: run.run_id, answers }]);
      done.set(runKey(run.question_id, run.run_id), answers);
      yield { kind: "advanced", ...event, done: done.size, total };
    }
  }
  const rows = chains.flatMap(({ run }) => done.get(runKey(run.question_id, run.run_id)) ?? []);
  await writeJsonl(output, rows);
  await rm(partialPathOf(output), { force: true });
  await removeJournal(partialPathOf(output));
  const warnings = warnOfLeftOut(runs.length - chains.length, runs.length);
  for (const warning of warnings) yield { kind: "warning", ...event, warning };
  return { counts: { chains: total, forced_answers: rows.length }, warnings };
}

/** A chain and where it can be left. */
interface Chain {
  readonly run: RunRecord;
  /** Each step's tokens, and the text of the last of them that is behind the step. */
  readonly steps: readonly { readonly span: readonly [number, number]; readonly behind: string }[];
  /** What stands between its last step and its answer; null where the reasoning was cut off. */
  readonly closing: string | null;
}

function planChains(runs: readonly RunRecord[], { model }: AnswerBackend): Chain[] {
  const { decode } = model.tokenizer;
  const { close } = findThinkTags(model.tokenizer);
  return runs.flatMap((run): Chain[] => {
    const { tokens, think_token_indices: span, output_text } = run;
    if (span === null) return [];
    const count = countAnswerTokens(run, { endTokenIds: model.endTokenIds, decode });
    const answer = readAnswerText(tokens.slice(0, count), decode, output_text);
    const units = locateSteps(answer, span);
    if (units.length === 0) return [];
    const last = units.at(-1)!.text[1];
    const closeAt = answer.text.indexOf(close, last);
    return [
      {
        run,
        steps: units.map(({ tokens: own, text }) => ({
          span: own,
          behind: answer.text.slice(text[1], answer.ends[own[1] - 1]),
        })),
        closing:
          run.think_status === "closed" && closeAt >= 0
            ? answer.text.slice(last, closeAt + close.length)
            : null,
      },
    ];
  });
}

function requireChains(runs: readonly RunRecord[], chains: readonly Chain[], { model }: AnswerBackend): void {
  const other = runs.find((run) => run.model !== model.provenance.id);
  if (other !== undefined)
    throw new SepError(
      "bad-option",
      `Got --model ${model.provenance.id}, but ${other.model} wrote the chains. A chain can be left only by the model that is writing it.`,
    );
  if (chains.some(({ closing }) => closing !== null)) return;
  throw new SepError(
    "bad-option",
    `None of the ${runs.length} answers has reasoning that ended, so there is nothing to leave early. Use a model that reasons between tags, or allow more tokens.`,
  );
}

/** How the model closes its reasoning most often; of equally frequent ways the first. */
function commonClosing(chains: readonly Chain[]): string {
  const counts = new Map<string, number>();
  for (const { closing } of chains) if (closing !== null) counts.set(closing, (counts.get(closing) ?? 0) + 1);
  return [...counts].reduce((best, each) => (each[1] > best[1] ? each : best))[0];
}

/** What is left to write of the closing where the step's last token holds its beginning already. */
function restOf(closing: string, behind: string): string {
  let length = Math.min(closing.length, behind.length);
  while (length > 0 && !behind.endsWith(closing.slice(0, length))) length -= 1;
  return closing.slice(length);
}

async function forceChain(
  { run, steps }: Chain,
  question: Question | null,
  sampler: Pick<AnswerSampler, "draw">,
  {
    closing,
    backend: { model },
    answerTokens,
    signal,
  }: {
    readonly closing: string;
    readonly backend: AnswerBackend;
    readonly answerTokens: number;
    readonly signal: AbortSignal;
  },
): Promise<{ readonly run: RunRecord; readonly answers: readonly ForcedAnswer[] }> {
  if (question === null)
    throw new SepError(
      "bad-option",
      `Question ${run.question_id} of the chains is not in the question file, so its forced answers cannot be graded. Use the study's own questions.`,
    );
  const cuts = steps.map(({ span }) => run.prompt_tokens.length + span[1]);
  const drawn = await allOrNone(
    steps.map((step, i) => ({ ...step, i })),
    signal,
    async ({ span, behind, i }, abort) => {
      const close = model.tokenizer.encode(restOf(closing, behind), { specialTokens: false });
      const tokenIds = [...run.prompt_tokens, ...run.tokens.slice(0, span[1]), ...close];
      const prompt = { text: "", tokenIds, opensReasoning: false, sharedTokens: cuts.slice(0, i + 1) };
      const [answer] = await sampler.draw(prompt, {
        runIds: [0],
        sampler: greedy(run.sampler, answerTokens),
        seed: run.seed,
        streamKey: JSON.stringify(["force", run.question_id, run.run_id, i]),
        sharedTokens: prompt.sharedTokens,
        signal: abort,
      });
      return describeForced(run, question, { step: i, span, closeTokens: close.length }, answer!);
    },
  );
  return { run, answers: drawn };
}

/** @throws SepError `bad-option` for grades that no rule gives, and that forced answers cannot have */
function ruleOf({ correctness }: RunRecord): CorrectnessRule {
  const rule = CORRECTNESS_RULES.find((name) => name === correctness);
  if (rule !== undefined) return rule;
  throw new SepError(
    "bad-option",
    `The answers were graded by ${correctness}, but forced answers are graded by a rule. Grade the answers by a rule first: \`sep generate --correctness ${CORRECTNESS_RULES.join("|")}\`.`,
  );
}

const greedy = (sampler: SamplerSettings, maxNewTokens: number): SamplerSettings => ({
  ...sampler,
  temperature: 0,
  topP: 1,
  topK: 0,
  minP: 0,
  repetitionPenalty: 1,
  maxNewTokens,
});

function describeForced(
  run: RunRecord,
  question: Question,
  at: Pick<ForcedAnswer, "step" | "span"> & { readonly closeTokens: number },
  { text, tokenIds, answerTokenCount, logprobs, entropies }: SampledAnswer,
): ForcedAnswer {
  const rule = ruleOf(run);
  const { extracted_answer, is_correct } = gradeAnswer(text.trim(), question, rule);
  const own = run.extracted_answer;
  const isCensored = run.finish_reason === "length" || run.think_status !== "closed";
  const isFinal =
    own === null || extracted_answer === null
      ? own === extracted_answer
      : gradeAnswer(text.trim(), { ...question, answer: own, aliases: [] }, rule).is_correct;
  const count = Math.max(1, answerTokenCount);
  return {
    question_id: run.question_id,
    run_id: run.run_id,
    step: at.step,
    span: at.span,
    text,
    extracted_answer,
    is_correct,
    is_final: isCensored ? null : isFinal,
    token_count: at.closeTokens + tokenIds.length,
    mean_logprob: mean(logprobs.slice(0, count)),
    mean_entropy: mean(entropies.slice(0, count)),
  };
}

/** What an interrupted step of the same chains and settings has left, by run. */
async function openDone(
  partial: string,
  settings: Readonly<Record<string, Json>>,
  force: boolean,
): Promise<Map<string, readonly ForcedAnswer[]>> {
  const rows = await resumeJournal(partial, settings, {
    force,
    parse: (value) => {
      const { question_id, run_id, answers } = value as ForcedAnswer & {
        readonly answers: readonly unknown[];
      };
      return [runKey(question_id, run_id), answers.map(parseForcedAnswer)] as const;
    },
  });
  return new Map(rows);
}

function warnOfLeftOut(count: number, total: number): ManifestWarning[] {
  if (count === 0) return [];
  const message = `${count} of ${total} answers have no reasoning between tags, or none with text, and were left out.`;
  return [{ code: "no-chain", message }];
}
