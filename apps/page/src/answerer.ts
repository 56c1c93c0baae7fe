import {
  buildPrompt,
  generate,
  indicesOf,
  type Prompt,
  type PromptFormat,
  placeAnswer,
  type SampledAnswer,
  type SamplerSettings,
  splitReasoning,
  WHOLE_DISTRIBUTION,
} from "semantic-entropy-probes/engine";
import { measureMeanings } from "semantic-entropy-probes/entropy";
import {
  applyCalibration,
  assertStates,
  measureFamiliarity,
  type PlacedStates,
  type Probe,
  scoreProbe,
} from "semantic-entropy-probes/probe";
import type { EngineInfo, Fork, Look, Reading, Token, Verdict } from "./messages.ts";
import { type OpenEngine, sourceOf } from "./open-engine.ts";

/** Continuations that a fork draws. */
export const FORK_SAMPLES = 10;
/** Tokens that a layer's prediction names. */
const LOOK_TOKENS = 5;

export type AnswerEvent =
  | ({ readonly kind: "token" } & Token)
  | ({ readonly kind: "reading" } & Reading)
  | ({ readonly kind: "answered" } & Verdict);

/** Answers questions with their doubt; `fork` and `look` are about the last answer. */
export interface Answerer {
  readonly info: EngineInfo;
  ask(
    asked: { readonly question: string; readonly seed: number },
    signal: AbortSignal,
  ): AsyncGenerator<AnswerEvent, void>;
  /** @param at index of the token behind which the continuations begin; -1 is the prompt's last one */
  fork(at: number, signal: AbortSignal): Promise<Fork>;
  look(at: number): Promise<Look>;
}

/** The last answer as far as it has come. */
interface Asked {
  readonly question: string;
  readonly seed: number;
  readonly prompt: Prompt;
  readonly tokenIds: number[];
  /** Of the prompt's last token, and of each of the answer: [layers * D]. */
  readonly residuals: Float32Array[];
}

export function createAnswerer(engine: OpenEngine): Answerer {
  const { model, lens, probe } = engine;
  const { tokenizer, config } = model;
  const { prompting, sampler } = probe === null ? usualGeneration(model) : recordedGeneration(probe);
  const layers = Array.from({ length: config.blockCount + 1 }, (_, layer) => layer);
  const read = createReader(engine);
  let asked: Asked | null = null;
  const requireAnswer = (at: number): Asked => {
    if (asked !== null && asked.residuals[at + 1] !== undefined) return asked;
    throw new Error("There is no such token in the answer.");
  };

  return {
    info: describeEngine(engine),
    async *ask({ question, seed }, signal) {
      const prompt = buildPrompt(tokenizer, question, prompting);
      const own: Asked = { question, seed, prompt, tokenIds: [], residuals: [] };
      asked = own;
      const see = (residual: Float32Array | null): AnswerEvent => {
        const values = residual as Float32Array;
        own.residuals.push(values);
        return { kind: "reading", index: own.residuals.length - 2, ...read(values) };
      };
      const begun = performance.now();
      for await (const event of generate(model, prompt, {
        sampler,
        seed,
        streamKey: question,
        layers,
        signal,
      })) {
        yield see(event.residual);
        if (event.kind === "token") {
          const { tokenId, delta, logprob } = event;
          own.tokenIds.push(tokenId);
          const text = tokenizer.decode([tokenId]);
          yield { kind: "token", index: own.tokenIds.length - 1, delta, text, logprob };
        } else {
          const tokensPerSecond = (1000 * own.tokenIds.length) / (performance.now() - begun);
          yield { kind: "answered", ...judge(engine, own, event.answer), tokensPerSecond };
        }
      }
    },
    async fork(at, signal) {
      const { question, seed, prompt, tokenIds } = requireAnswer(at);
      const kept = tokenIds.slice(0, at + 1);
      const begun = performance.now();
      const answers: SampledAnswer[] = [];
      const events = generate(
        model,
        { tokenIds: [...prompt.tokenIds, ...kept] },
        {
          sampler,
          seed,
          runIds: Array.from({ length: FORK_SAMPLES }, (_, run) => run),
          // from the question on, these are the samples that a study with this seed draws
          streamKey: at < 0 ? question : `${question}\n${at}`,
          text: false,
          signal,
        },
      );
      for await (const event of events) if (event.kind === "end") answers[event.row] = event.answer;
      const measured = await measureMeanings({
        question,
        texts: answers.map((answer) => finalText(engine, prompt, kept, answer)),
        meanLogprobs: answers.map(({ logprobs }) => mean(logprobs)),
      });
      return {
        at,
        samples: answers.map((answer, row) => ({
          tokens: answer.tokenIds.map((id) => tokenizer.decode([id])),
          answer: measured.answers[row] ?? null,
          meaning: measured.clusterIds[row] as number,
        })),
        probabilities: measured.probabilities,
        equivalence: measured.equivalence,
        semanticEntropy: measured.semanticEntropy,
        durationMs: performance.now() - begun,
      };
    },
    async look(at) {
      const { residuals } = requireAnswer(at);
      const rows = await lens.read(residuals[at + 1] as Float32Array, LOOK_TOKENS);
      return {
        at,
        layers: rows.map((row) =>
          row.map(({ tokenId, logprob }) => ({
            text: tokenizer.decode([tokenId]),
            probability: Math.exp(logprob),
          })),
        ),
      };
    },
  };
}

/** What the probes say of one token's residual stream. */
function createReader({
  model,
  probe,
  layerProbes,
}: OpenEngine): (residual: Float32Array) => Omit<Reading, "index"> {
  const risk = (reader: Probe, residual: Float32Array): number => {
    const [score] = scoreProbe(reader, statesOf(model, reader, residual)) as unknown as [number];
    return riskOf(reader, score);
  };
  return (residual) => ({
    risk: probe === null ? null : risk(probe, residual),
    layers: layerProbes.map((each) => (each === null ? null : risk(each, residual))),
  });
}

/** The part of a token's residual stream that a probe reads. @param residual [layers * D] */
function statesOf(
  { config, provenance }: OpenEngine["model"],
  probe: Probe,
  residual: Float32Array,
): PlacedStates {
  const { hiddenSize: width } = config;
  const { layer_count: layerCount } = probe;
  // that it reads hidden states was checked when it was opened
  const position = probe.position as NonNullable<Probe["position"]>;
  const layer = probe.layer as number;
  return assertStates(residual.subarray(layer * width, (layer + layerCount) * width), {
    position,
    layer,
    layerCount,
    width,
    normState: "residual",
    source: sourceOf(provenance),
  });
}

/** A probe without a calibration map has scores only. */
const riskOf = ({ calibration_map: map }: Probe, score: number): number =>
  map === null ? score : applyCalibration(map, score);

function judge(
  { model, probe }: OpenEngine,
  { prompt, residuals }: Asked,
  answer: SampledAnswer,
): Omit<Verdict, "tokensPerSecond"> {
  const indices = probe === null ? "exact" : indicesOf(probe.source);
  const { reasoning, lastAt } = placeAnswer(model.tokenizer, prompt, answer, indices);
  const { text, finishReason } = answer;
  const common = { text, finalText: reasoning.answerText, finishReason };
  const found = probe?.position == null ? null : lastAt(probe.position);
  if (probe === null || found === null) return { ...common, readAt: null, risk: null, isUnfamiliar: false };
  const readAt = found.index - prompt.tokenIds.length;
  const states = statesOf(model, probe, residuals[readAt + 1] as Float32Array);
  const [score] = scoreProbe(probe, states) as unknown as [number];
  const isUnfamiliar = measureFamiliarity(probe, states)[0]?.is_unfamiliar === true;
  return { ...common, readAt, risk: riskOf(probe, score), isUnfamiliar };
}

/** What a continuation says after its reasoning. @param kept tokens of the answer that it continues */
function finalText(
  { model: { tokenizer } }: OpenEngine,
  { opensReasoning }: Prompt,
  kept: readonly number[],
  continued: SampledAnswer,
): string {
  const tokenIds = [...kept, ...continued.tokenIds];
  const answerTokenCount = kept.length + continued.answerTokenCount;
  const text = tokenizer.decode(tokenIds.slice(0, answerTokenCount));
  return splitReasoning(tokenizer, { text, tokenIds, answerTokenCount, opensReasoning }).answerText;
}

/** How the answers were sampled that the probe was calibrated on: others would get no promise. */
function recordedGeneration({ asking }: Probe) {
  if (asking === null) throw new Error("The probe does not say how its answers were sampled.");
  const { prompt_format, system_prompt, enable_thinking, sampler } = asking;
  return {
    prompting: {
      format: prompt_format as PromptFormat,
      systemPrompt: system_prompt ?? undefined,
      enableThinking: enable_thinking ?? undefined,
    },
    sampler: sampler satisfies SamplerSettings,
  };
}

/** As the model's authors sample, else from all that it says. */
const usualGeneration = ({ generationDefaults }: OpenEngine["model"]) => ({
  prompting: { format: "auto" as const },
  sampler: {
    ...WHOLE_DISTRIBUTION,
    ...generationDefaults,
    maxNewTokens: USUAL_TOKENS,
    stopStrings: [],
    stopTokenIds: [],
  },
});

const USUAL_TOKENS = 200;

function describeEngine(engine: OpenEngine): EngineInfo {
  const { model, probe, study, parameters, device, because } = engine;
  const decision = probe?.decisions.find(({ kind }) => kind === "risk")?.threshold ?? null;
  const inRisks = (score: number): number => (probe === null ? score : riskOf(probe, score));
  return {
    model: study.model,
    parameters,
    layers: model.config.blockCount + 1,
    device,
    because,
    probe: probe && {
      place: probe.position as string,
      layer: probe.layer as number,
      isCalibrated: probe.calibration_map !== null,
      threshold: decision === null ? null : inRisks(decision.threshold),
    },
    study: {
      calibrationQuestions: study.calibrationQuestions,
      curve: study.curve.map(({ threshold, ...promise }) => ({
        ...promise,
        threshold: inRisks(threshold),
      })),
      examples: study.examples,
      blindSpots: study.blindSpots,
    },
  };
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
