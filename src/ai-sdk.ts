/**
 * The entry `semantic-entropy-probes/ai-sdk`: the risk of `sep serve`'s answers in Vercel's AI SDK. It imports nothing of
 * the SDK but types, and runs wherever the SDK does.
 * @module ai-sdk
 */

import type {
  LanguageModelV4Content,
  LanguageModelV4FinishReason,
  LanguageModelV4Middleware,
  LanguageModelV4StreamPart,
  SharedV4ProviderMetadata,
} from "@ai-sdk/provider";
import { SepError } from "./errors.ts";
import type { AnswerRisk } from "./serve/answer-request.ts";
import type { TokenRisk } from "./serve/monitor.ts";

export type { MeasuredEntropy } from "./serve/entropy-meter.ts";
export type { AnswerAssessment, TokenRisk } from "./serve/monitor.ts";
export type { SpanRisk } from "./serve/sentence-risks.ts";
export type { AnswerRisk };

/** What `createOpenAICompatible` takes as `metadataExtractor`. */
export interface RiskMetadataExtractor {
  extractMetadata(response: { readonly parsedBody: unknown }): Promise<SharedV4ProviderMetadata | undefined>;
  createStreamExtractor(): {
    processChunk(chunk: unknown): void;
    buildMetadata(): SharedV4ProviderMetadata | undefined;
  };
}

/**
 * Keeps what a response of `sep serve` says of its risk, as `providerMetadata.sep` of `generateText` and `streamText`
 * (an {@link AnswerRisk}; of a streamed answer with the risks of its tokens). Responses of other servers get none.
 */
export const riskMetadata: RiskMetadataExtractor = {
  async extractMetadata({ parsedBody }) {
    return describeMetadata(readChoice(parsedBody)?.sep);
  },
  createStreamExtractor() {
    const tokens: TokenRisk[] = [];
    let last: Partial<AnswerRisk> | undefined;
    return {
      processChunk(chunk) {
        const sep = readChoice(chunk)?.sep;
        if (sep === undefined) return;
        tokens.push(...(sep.tokens ?? []));
        // the chunk that ends the answer; the others have tokens only
        if (sep.probe !== undefined) last = sep;
      },
      buildMetadata: () => describeMetadata(last && tokens.length > 0 ? { ...last, tokens } : last),
    };
  },
};

/** The SDK asks for one answer at a time. */
function readChoice(body: unknown): { readonly sep?: Partial<AnswerRisk> } | undefined {
  return (body as { choices?: readonly { readonly sep?: Partial<AnswerRisk> }[] } | undefined)?.choices?.[0];
}

const describeMetadata = (sep: Partial<AnswerRisk> | undefined): SharedV4ProviderMetadata | undefined =>
  sep === undefined ? undefined : ({ sep } as unknown as SharedV4ProviderMetadata);

/**
 * The risk of an answer.
 * @param metadata `providerMetadata` of a result
 * @returns undefined if the answer came without one
 */
export const readRisk = (metadata: SharedV4ProviderMetadata | undefined): AnswerRisk | undefined =>
  metadata?.sep as unknown as AnswerRisk | undefined;

export interface RiskMiddlewareOptions {
  /**
   * Which answers are not given. By default those that the probe says to abstain from, unless the server has replaced them
   * already.
   */
  shouldWithhold?(risk: AnswerRisk): boolean;
  /** What is said instead. Without it, the call fails with a `SepError` whose code is `answer-withheld`. */
  replace?(risk: AnswerRisk): string;
}

/**
 * Middleware for `wrapLanguageModel` that acts on the risk of answers. The model must be one of `createOpenAICompatible` with
 * {@link riskMetadata}. Since a risk is known when its answer is complete, a streamed answer is held back until then.
 * @throws SepError in the call: `answer-withheld`, whose cause is the {@link AnswerRisk}; `server-mismatch` if an answer
 *   came without a risk
 */
export function riskMiddleware({
  shouldWithhold = ({ decision, action }) => decision === "abstain" && action === null,
  replace,
}: RiskMiddlewareOptions = {}): LanguageModelV4Middleware {
  /** @returns the text to give instead; null to give the answer */
  const judge = (metadata: SharedV4ProviderMetadata | undefined): string | null => {
    const risk = readRisk(metadata);
    if (risk === undefined)
      throw new SepError(
        "server-mismatch",
        "The answer came without its risk in providerMetadata.sep. Ask a server of `sep serve`, and give createOpenAICompatible the metadataExtractor riskMetadata.",
      );
    if (!shouldWithhold(risk)) return null;
    if (replace !== undefined) return replace(risk);
    const said = risk.risk === null ? "an unknown risk" : `a risk of ${risk.risk.toFixed(3)}`;
    throw new SepError(
      "answer-withheld",
      `The answer has ${said} by the probe ${risk.probe}, and is not given. ${risk.guarantee}`,
      { cause: risk },
    );
  };
  return {
    specificationVersion: "v4",
    async wrapGenerate({ doGenerate }) {
      const result = await doGenerate();
      const text = judge(result.providerMetadata);
      if (text === null) return result;
      const { structuredOutputText: _text, response, ...rest } = result;
      // the body has the answer that is not given
      const { body: _body, ...head } = response ?? {};
      const content: LanguageModelV4Content[] = [{ type: "text", text }];
      return { ...rest, response: head, content, finishReason: WITHHELD };
    },
    async wrapStream({ doStream }) {
      const { stream, ...rest } = await doStream();
      return { ...rest, stream: stream.pipeThrough(holdBack(judge)) };
    },
  };
}

const WITHHELD: LanguageModelV4FinishReason = { unified: "content-filter", raw: "content_filter" };
/** The one text of a replaced answer. */
const TEXT_ID = "sep-0";

/** Parts that are nothing of the answer. */
const PASSED: readonly LanguageModelV4StreamPart["type"][] = [
  "stream-start",
  "response-metadata",
  "ping",
  "error",
];

/** Keeps the parts of an answer until its risk is known. */
function holdBack(
  judge: (metadata: SharedV4ProviderMetadata | undefined) => string | null,
): TransformStream<LanguageModelV4StreamPart, LanguageModelV4StreamPart> {
  const held: LanguageModelV4StreamPart[] = [];
  let hasFailed = false;
  return new TransformStream({
    transform(part, controller) {
      if (part.type === "error") hasFailed = true;
      if (PASSED.includes(part.type)) return controller.enqueue(part);
      if (part.type !== "finish") return void held.push(part);
      if (hasFailed) return controller.enqueue(part);
      try {
        const text = judge(part.providerMetadata);
        if (text === null) {
          for (const each of held) controller.enqueue(each);
          return controller.enqueue(part);
        }
        controller.enqueue({ type: "text-start", id: TEXT_ID });
        controller.enqueue({ type: "text-delta", id: TEXT_ID, delta: text });
        controller.enqueue({ type: "text-end", id: TEXT_ID });
        controller.enqueue({ ...part, finishReason: WITHHELD });
      } catch (error) {
        controller.enqueue({ type: "error", error });
        controller.enqueue({ ...part, finishReason: { unified: "error", raw: undefined } });
      }
    },
  });
}
