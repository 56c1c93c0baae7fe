import { randomInt } from "node:crypto";
import type { LiveModel } from "../backends/live-model.ts";
import type { EndEvent, RankedToken } from "../engine/generate/generate.ts";
import type { SamplerSettings } from "../engine/generate/sampler-settings.ts";
import { splitReasoning } from "../engine/generate/split-reasoning.ts";
import type { Prompt } from "../engine/tokenizer/build-prompt.ts";
import type { ChatMessage } from "../engine/tokenizer/chat-template.ts";
import { SepError } from "../errors.ts";
import { mean } from "../math/vector.ts";
import type { Probe } from "../probes/probe.ts";
import type { EntropyMeter, MeasuredEntropy } from "./entropy-meter.ts";
import type { AnswerAssessment, AnswerMonitor, TokenRisk } from "./monitor.ts";
import { type AnswerRequest, isConversation } from "./openai-bodies.ts";
import type { PreparedAnswer } from "./prepare-answer.ts";
import { describeSentences, type SpanRisk } from "./sentence-risks.ts";
import { monitorOf } from "./served-probe.ts";

/** What a response says of an answer's risk: the field `sep` of a choice. */
export interface AnswerRisk
  extends Pick<
    AnswerAssessment,
    "score" | "risk" | "risk_of" | "decision" | "abstain_reason" | "familiarity" | "guarantee" | "warnings"
  > {
  readonly probe: string;
  readonly probe_sha256: string;
  /** Where in the answer the probe reads. */
  readonly place: Probe["position"];
  /** Index of the token that was read in the answer, -1 for the prompt's last one; null if there was none to read. */
  readonly token_index: number | null;
  /** Mean entropy of the answer's next-token distributions, nats: what is known without a probe. */
  readonly entropy_baseline: number | null;
  /** Mean log-probability of the answer's tokens, nats. */
  readonly mean_logprob: number | null;
  /** What was done because of the decision; null where nothing was. */
  readonly action: "withheld" | "resampled" | "escalated" | null;
  /** Who gave the answer, if it was not this server's model. */
  readonly answered_by?: string;
  /** As the request's `samples` asked. */
  readonly entropy?: MeasuredEntropy;
  /** At every token of the answer; at an end token only where the probe may read it. */
  readonly tokens?: readonly TokenRisk[];
  /** At the end of every sentence. */
  readonly spans?: readonly SpanRisk[];
  readonly timings: {
    /** Milliseconds until the request had room. */
    readonly queue_ms: number;
    readonly first_token_ms: number;
    readonly total_ms: number;
  };
}

/** A token of an answer, as a client sees it. */
export interface ServedToken {
  readonly kind: "token";
  readonly row: number;
  readonly tokenId: number;
  readonly delta: string;
  /** The answer is held back until its decision: neither its text nor its tokens may be shown. */
  readonly isHeld: boolean;
  readonly logprob: number;
  readonly top: readonly RankedToken[];
  /** Of the tokens whose states have become known since. */
  readonly risks: readonly TokenRisk[];
}

/** An answer is complete. */
export interface ServedEnd {
  readonly kind: "end";
  readonly row: number;
  /** What of the answer no token has shown. */
  readonly delta: string;
  readonly text: string;
  readonly finishReason: "stop" | "length" | "content_filter";
  readonly tokenCount: number;
  readonly risks: readonly TokenRisk[];
  readonly sep: AnswerRisk;
}

/** What happens to an answer that the probe says not to give. */
export interface Policy {
  readonly name: "flag" | "abstain" | "resample" | "escalate";
  readonly abstainText: string;
  /** Answers to sample for `resample`. */
  readonly samples: number;
  /** What happens where the policy or the measuring of entropy fails: the answer is given, with a warning; or the request fails. */
  readonly onError: "answer" | "refuse";
  /** Asks another server, for `escalate`. */
  readonly escalate:
    | ((
        messages: readonly ChatMessage[],
        signal: AbortSignal,
      ) => Promise<{ readonly text: string; readonly model: string }>)
    | null;
}

/** What an answer that is withheld says instead. */
export const ABSTAIN_TEXT = "I am not certain enough to answer this.";
/** Answers that `resample` samples. */
export const RESAMPLES = 10;

/** What answers are made with. */
export interface AnswerMaker {
  readonly live: LiveModel;
  readonly policy: Policy;
  readonly entropy: EntropyMeter;
  /** Tokens that an answer may have at most. */
  readonly maxTokens: number;
}

/** Answers the same request twice with other tokens, unless it has a seed. */
const drawSeed = (): number => randomInt(2 ** 31);

/** One answer that is being made. */
interface Row {
  readonly monitor: AnswerMonitor;
  readonly risks: TokenRisk[];
  /** Of states that came after their tokens; the end brings them. */
  readonly late: TokenRisk[];
  /** [T] length of the text up to each token's end. */
  readonly ends: number[];
  shown: number;
}

/**
 * Makes the answers to a request, and yields them token by token with their risk.
 * @throws SepError of the model; the signal's reason
 */
export async function* makeAnswers(
  maker: AnswerMaker,
  { request, served, prompt, sampler, warnings }: PreparedAnswer,
  { queueMs, signal }: { readonly queueMs: number; readonly signal: AbortSignal },
): AsyncGenerator<ServedToken | ServedEnd, void> {
  const { live, policy } = maker;
  const { sep } = request;
  const started = performance.now();
  const monitor = monitorOf(served, sep.decide);
  const { layers, endState, probe } = monitor;
  const seed = request.seed ?? drawSeed();
  const runIds = Array.from({ length: request.n }, (_, index) => index);
  const rows = runIds.map(
    (): Row => ({ monitor: monitor.follow(prompt, sampler), risks: [], late: [], ends: [], shown: 0 }),
  );
  const isEarly = probe.position === "before-generation";
  const question = questionOf(request);
  const draw = (samples: number): Promise<MeasuredEntropy & { readonly texts: readonly string[] }> =>
    measureEntropy(maker, { prompt, sampler, seed, question }, samples, signal);
  const measured = sep.samples === undefined ? null : draw(sep.samples);
  measured?.catch(() => undefined);
  let firstTokenMs = 0;

  const finish = async (
    row: number,
    assessment: AnswerAssessment,
    end: EndEvent | null,
  ): Promise<ServedEnd> => {
    const { risks, ends, shown } = rows[row] as Row;
    const own = end?.answer;
    const failures: string[] = [];
    const isWithheld = assessment.decision === "abstain" && policy.name !== "flag";
    const replaced = isWithheld ? await orWarn(replace(own?.text ?? ""), failures) : null;
    const text = replaced?.text ?? own?.text ?? "";
    const asked = measured === null ? null : await orWarn(measured, failures);
    const now = performance.now();
    return {
      kind: "end",
      row,
      text,
      delta: replaced === null ? text.slice(shown) : text,
      finishReason: replaced?.finishReason ?? own?.finishReason ?? "stop",
      tokenCount: own?.tokenIds.length ?? 0,
      risks: [],
      sep: {
        probe: served.name,
        probe_sha256: served.sha256,
        place: probe.position,
        score: assessment.score,
        risk: assessment.risk,
        risk_of: assessment.risk_of,
        decision: assessment.decision,
        abstain_reason: assessment.abstain_reason,
        familiarity: assessment.familiarity,
        guarantee: assessment.guarantee,
        token_index:
          assessment.read_at === null ? null : assessment.read_at.token_index - prompt.tokenIds.length,
        entropy_baseline: own === undefined || own.entropies.length === 0 ? null : mean(own.entropies),
        mean_logprob: own === undefined || own.logprobs.length === 0 ? null : mean(own.logprobs),
        action: replaced?.action ?? null,
        ...(replaced?.answeredBy === undefined ? {} : { answered_by: replaced.answeredBy }),
        ...(asked === null ? {} : { entropy: withoutTexts(asked) }),
        ...(wantsTokens(request) ? { tokens: risks } : {}),
        ...(sep.spans === true && own !== undefined
          ? { spans: describeSentences(own.text, ends, risks) }
          : {}),
        timings: {
          queue_ms: round(queueMs),
          first_token_ms: round(firstTokenMs),
          total_ms: round(now - started),
        },
        warnings: [...warnings, ...assessment.warnings, ...(replaced?.warnings ?? []), ...failures],
      },
    };
  };
  const orWarn = async <Value>(work: Promise<Value>, failures: string[]): Promise<Value | null> => {
    try {
      return await work;
    } catch (error) {
      if (policy.onError === "refuse" || signal.aborted || !(error instanceof SepError)) throw error;
      failures.push(error.message);
      return null;
    }
  };
  const replace = async (text: string): Promise<Replacement> => {
    if (policy.name === "resample") return resample(await draw(policy.samples), text);
    if (policy.escalate !== null && isConversation(request.asked)) {
      const { text: other, model } = await policy.escalate(request.asked, signal);
      return { text: other, finishReason: "stop", action: "escalated", answeredBy: model, warnings: [] };
    }
    const said = sep.abstain_text ?? policy.abstainText;
    return { text: said, finishReason: "content_filter", action: "withheld", warnings: [] };
  };

  const events = live.generate(prompt, {
    sampler,
    runIds,
    layers,
    endState,
    seed,
    topLogprobs: request.topLogprobs ?? 0,
    signal,
  });
  for await (const event of events) {
    const own = rows[event.row] as Row;
    if (event.kind === "end") {
      const { last, assessed } = own.monitor.end(event);
      own.risks.push(...visible(last));
      const end = await finish(event.row, assessed, event);
      yield { ...end, risks: [...own.late, ...visible(last)] };
      continue;
    }
    const risks = visible(own.monitor.push(event));
    own.risks.push(...risks);
    if (event.kind === "states") {
      own.late.push(...risks);
      continue;
    }
    if (firstTokenMs === 0) firstTokenMs = performance.now() - started;
    const early = own.monitor.early();
    if (early?.decision === "abstain" && policy.name !== "flag") {
      // all answers share the prompt, and with it this decision
      for (const row of runIds) yield await finish(row, early, null);
      return;
    }
    // a backend whose states come after the tokens decides early at the end only
    const isHeld = policy.name !== "flag" && !(isEarly && early !== null);
    const delta = isHeld ? "" : event.delta;
    own.shown += delta.length;
    own.ends.push((own.ends.at(-1) ?? 0) + event.delta.length);
    const { row, tokenId, logprob, top } = event;
    yield { kind: "token", row, tokenId, delta, isHeld, logprob, top, risks };
  }
}

const wantsTokens = ({ sep, isStreamed }: AnswerRequest): boolean => sep.tokens ?? isStreamed;

/** Tokens of the answer; the prompt's last one is no token of it. */
const visible = (risks: readonly TokenRisk[]): readonly TokenRisk[] =>
  risks.filter(({ index }) => index >= 0);

const round = (ms: number): number => Math.round(ms * 10) / 10;

/** What is given in place of an answer. */
interface Replacement {
  readonly text: string;
  readonly finishReason: ServedEnd["finishReason"];
  readonly action: NonNullable<AnswerRisk["action"]>;
  readonly answeredBy?: string;
  readonly warnings: readonly string[];
}

function resample(
  { clusters, texts, samples }: MeasuredEntropy & { readonly texts: readonly string[] },
  text: string,
): Replacement {
  const [largest] = clusters;
  const member = largest?.members[0];
  return {
    text: member === undefined ? text : (texts[member] as string),
    finishReason: "stop",
    action: "resampled",
    warnings: [
      `The first answer was too risky. This one is the likeliest of the largest of ${clusters.length} meanings among ${samples} more samples, ${largest?.members.length ?? 0} of which share it; the guarantee does not cover it.`,
    ],
  };
}

const withoutTexts = ({
  texts: _texts,
  ...entropy
}: MeasuredEntropy & { readonly texts: readonly string[] }) => entropy;

/** Run ids of further samples, so that their random streams are not those of the answers. */
const FURTHER_SAMPLES = 1_000_000;

async function measureEntropy(
  { live, entropy }: AnswerMaker,
  {
    prompt,
    sampler,
    seed,
    question,
  }: {
    readonly prompt: Prompt;
    readonly sampler: SamplerSettings;
    readonly seed: number;
    readonly question: string;
  },
  samples: number,
  signal: AbortSignal,
): Promise<MeasuredEntropy & { readonly texts: readonly string[] }> {
  const runIds = Array.from({ length: samples }, (_, index) => FURTHER_SAMPLES + index);
  // greedy samples would all be the same
  const drawn = { ...sampler, temperature: sampler.temperature || 1 };
  const events = live.generate(prompt, { sampler: drawn, runIds, seed, text: false, signal });
  const texts: string[] = [];
  const meanLogprobs: number[] = [];
  for await (const event of events) {
    if (event.kind !== "end") continue;
    const { answer, row } = event;
    const { opensReasoning } = prompt;
    texts[row] = splitReasoning(live.model.tokenizer, { ...answer, opensReasoning }).answerText;
    meanLogprobs[row] = mean(answer.logprobs);
  }
  return { ...(await entropy.measure({ question, texts, meanLogprobs }, signal)), texts };
}

/** What was asked last; a prompt that was given whole is its own question. */
function questionOf({ asked }: AnswerRequest): string {
  if (typeof asked === "string") return asked;
  const last = asked.at(-1);
  return typeof last === "object" ? last.content : "";
}
