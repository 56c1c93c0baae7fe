import type { Hono } from "hono";
import { z } from "zod";
import { rewriteReasoning } from "../engine/generate/observe-answer.ts";
import { buildPrompt, type Prompt, takePrompt } from "../engine/tokenizer/build-prompt.ts";
import type { ChatMessage } from "../engine/tokenizer/chat-template.ts";
import { createDeadline } from "../net/deadline.ts";
import type { RouteParts } from "./answer-routes.ts";
import { ApiError } from "./api-error.ts";
import { type AnswerAssessment, riskOf, type TokenRisk, warnOfGiven } from "./monitor.ts";
import { lengthOf, requireReadable } from "./prepare-answer.ts";
import { readJson } from "./read-json.ts";
import { describeGivenSpans, describeSentences, type SpanRisk } from "./sentence-risks.ts";
import { findProbe, monitorOf, type ServedProbe } from "./served-probe.ts";

const MESSAGES = z
  .array(z.object({ role: z.enum(["system", "user", "assistant"]), content: z.string() }))
  .min(1);

/** Half-open, in UTF-16 units of the answer. */
const SPANS = z.array(z.tuple([z.int().min(0), z.int().min(1)])).max(1000);

const RISK_INPUT = z
  .object({
    question: z.string().min(1).optional(),
    messages: MESSAGES.optional(),
    /** A prompt that was written whole. */
    prompt: z.string().min(1).optional(),
    answer: z.string().optional(),
    /** Stretches of the answer whose risk is wanted. */
    spans: SPANS.optional(),
  })
  .strict();

const RISK_BODY = RISK_INPUT.extend({
  inputs: z.array(RISK_INPUT).min(1).max(256).optional(),
  probe: z.string().min(1).optional(),
  decide: z.enum(["risk", "coverage"]).optional(),
  tokens: z.boolean().default(false),
  /** Whether to say the risk of every sentence; or the stretches of the one answer. */
  spans: z.union([z.boolean(), SPANS], "expected true, false, or a list of [start, end]").default(false),
});

type RiskInput = z.output<typeof RISK_INPUT>;

/** What `/v1/risk` says of one input. */
export interface RiskResult extends AnswerAssessment {
  readonly probe: string;
  readonly probe_sha256: string;
  readonly prompt_tokens: number;
  /** Tokens of the given answer, its end included; 0 where none was given. */
  readonly answer_tokens: number;
  readonly tokens?: readonly TokenRisk[];
  readonly spans?: readonly SpanRisk[];
}

const ENTROPY_BODY = z
  .object({
    question: z.string().default(""),
    texts: z.array(z.string()).min(2).max(256),
    /** Mean token log-probability of each text, nats. */
    mean_logprobs: z.array(z.number().max(0)).optional(),
  })
  .strict();

/** `POST /v1/risk`, `POST /v1/entropy`, `GET /v1/probes`: what OpenAI's API has no words for. */
export function addRiskRoutes(app: Hono, parts: RouteParts): void {
  const { probes, maker } = parts;
  app.get("/v1/probes", (c) => c.json({ object: "list", data: [...probes.values()].map(describeServed) }));

  app.post("/v1/risk", async (c) => {
    const { inputs, probe, decide, tokens, spans, ...single } = RISK_BODY.parse(await readJson(c));
    if (inputs !== undefined && Object.keys(single).length > 0)
      throw new ApiError(400, "Give either inputs or a single question, not both.", { param: "inputs" });
    const named = typeof spans === "boolean" ? null : spans;
    if (inputs !== undefined && named !== null)
      throw new ApiError(400, "Give the spans of each answer beside it, within inputs.", { param: "spans" });
    const served = findProbe(probes, probe);
    const options = { decide, tokens, sentences: spans === true, signal: c.req.raw.signal };
    const results = await Promise.all(
      (inputs ?? [{ ...single, ...(named === null ? {} : { spans: named }) }]).map((input, index) =>
        assessInput(parts, served, input, {
          ...options,
          param: inputs === undefined ? "" : `inputs[${index}].`,
        }),
      ),
    );
    return c.json(inputs === undefined ? results[0] : { object: "list", data: results });
  });

  app.post("/v1/entropy", async (c) => {
    const { question, texts, mean_logprobs: meanLogprobs = null } = ENTROPY_BODY.parse(await readJson(c));
    if (meanLogprobs !== null && meanLogprobs.length !== texts.length)
      throw new ApiError(400, `mean_logprobs has ${meanLogprobs.length} numbers for ${texts.length} texts.`, {
        param: "mean_logprobs",
      });
    return c.json(await maker.entropy.measure({ question, texts, meanLogprobs }, c.req.raw.signal));
  });
}

/** What the server's list of probes says of one. */
const describeServed = ({ name, sha256, probe, decide }: ServedProbe) => ({
  id: name,
  object: "probe",
  sha256,
  kind: probe.kind,
  target: probe.target,
  risk_of: riskOf(probe),
  place: probe.position,
  layer: probe.layer,
  layer_count: probe.layer_count,
  source: probe.source,
  is_calibrated: probe.calibration_map !== null,
  decide,
  decisions: probe.decisions,
  asking: probe.asking,
  warnings: probe.warnings,
});

export interface AssessInputOptions {
  readonly decide?: "risk" | "coverage" | undefined;
  readonly tokens?: boolean;
  /** Whether to say the risk of every sentence. */
  readonly sentences?: boolean;
  readonly signal: AbortSignal;
  /** What stands in front of a field in errors. */
  readonly param?: string;
}

/**
 * The risk of a given answer or, by a probe that reads before-generation, of a question.
 * @throws ApiError; SepError of the model
 */
export async function assessInput(
  { maker, admission, timeLimitMs }: Pick<RouteParts, "maker" | "admission" | "timeLimitMs">,
  served: ServedProbe,
  input: RiskInput,
  { decide, tokens = false, sentences = false, signal, param = "" }: AssessInputOptions,
): Promise<RiskResult> {
  const { live } = maker;
  const { prompt, answer } = readInput(live.model, served, input, param);
  const { spans = [] } = input;
  const { sampler, reading, notes } = served.generation;
  const text = answer === null || reading === null ? answer : rewriteReasoning(live.model, prompt, answer);
  requireSpans(spans, { answer: answer ?? "", isRewritten: text !== answer, param });
  const monitor = monitorOf(served, decide);
  const { layers, endState, probe } = monitor;
  if (answer === null && probe.position !== "before-generation")
    throw new ApiError(
      400,
      `The probe ${served.name} reads the ${probe.position ?? "reasoning"} of an answer. Give an answer, or take a probe that reads before-generation.`,
      {
        param: `${param}answer`,
        code: "answer_needed",
      },
    );
  using deadline = createDeadline(signal, timeLimitMs);
  using _room = await admission.enter(1, deadline.signal);
  const following = monitor.follow(prompt, sampler);
  const events =
    text === null
      ? live.generate(prompt, {
          sampler: { ...sampler, maxNewTokens: 1 },
          layers,
          text: false,
          signal: deadline.signal,
        })
      : live.read(prompt, text, {
          sampler,
          ending: reading?.ending,
          layers,
          endState,
          text: sentences || spans.length > 0,
          signal: deadline.signal,
        });
  const head = { probe: served.name, probe_sha256: served.sha256, prompt_tokens: prompt.tokenIds.length };
  const risks: TokenRisk[] = [];
  const ends: number[] = [];
  for await (const event of events) {
    if (event.kind !== "end") {
      risks.push(...following.push(event));
      const early = following.early();
      if (answer === null && early !== null)
        return { ...head, answer_tokens: 0, ...early, warnings: [...notes, ...early.warnings] };
      if (event.kind === "token") ends.push((ends.at(-1) ?? 0) + event.delta.length);
      continue;
    }
    const { last, assessed } = following.end(event);
    risks.push(...last);
    const { answer: _answer, think_status: _status, ...assessment } = assessed;
    const own = risks.filter(({ index }) => index >= 0);
    return {
      ...head,
      answer_tokens: event.answer.tokenIds.length,
      ...assessment,
      warnings: [
        ...notes,
        ...assessment.warnings,
        ...warnOfGiven(live.model.tokenizer, event.answer, { isObserved: reading !== null }),
      ],
      ...(tokens ? { tokens: own } : {}),
      ...(sentences || spans.length > 0
        ? {
            spans: [
              ...(sentences ? describeSentences(event.answer.text, ends, own) : []),
              ...describeGivenSpans(spans, ends, own),
            ],
          }
        : {}),
    };
  }
  throw new Error("The model ended an answer without saying so.");
}

function requireSpans(
  spans: NonNullable<RiskInput["spans"]>,
  {
    answer,
    isRewritten,
    param,
  }: { readonly answer: string; readonly isRewritten: boolean; readonly param: string },
): void {
  if (spans.length > 0 && isRewritten)
    throw new ApiError(
      400,
      "The probe's model spells think tags in another way, so that the answer is read as another text and its spans cannot be found. Leave spans out, or give the answer without its reasoning.",
      { param: `${param}spans` },
    );
  const at = spans.findIndex(([start, end]) => start >= end || end > answer.length);
  if (at < 0) return;
  throw new ApiError(
    400,
    `The span [${spans[at]}] is not within the answer, which has ${answer.length} UTF-16 units. Give [start, end], half-open.`,
    { param: `${param}spans[${at}]` },
  );
}

/** A conversation that ends with the assistant has its answer there. */
function readInput(
  { tokenizer, config }: RouteParts["maker"]["live"]["model"],
  { generation }: ServedProbe,
  { question, messages, prompt, answer }: RiskInput,
  param: string,
): { readonly prompt: Prompt; readonly answer: string | null } {
  const given = [question, messages, prompt].filter((each) => each !== undefined);
  if (given.length !== 1)
    throw new ApiError(400, `Give exactly one of question, messages and prompt; got ${given.length}.`, {
      param: `${param}question`,
    });
  const characters = (question ?? prompt ?? "").length + (answer ?? "").length + lengthOf(messages ?? []);
  requireReadable(characters, config, `${param}${messages === undefined ? "question" : "messages"}`);
  if (prompt !== undefined) return { prompt: takePrompt(tokenizer, prompt), answer: answer ?? null };
  const last = messages?.at(-1);
  const hasOwn = answer === undefined && last?.role === "assistant";
  const asked: string | readonly ChatMessage[] =
    (hasOwn ? messages?.slice(0, -1) : messages) ?? (question as string);
  return {
    prompt: buildPrompt(tokenizer, asked, generation.prompting),
    answer: hasOwn ? last.content : (answer ?? null),
  };
}
