import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createVllmAnswers } from "../src/backends/vllm/vllm-answers.ts";
import { loadModel } from "../src/checkpoint/load-model.ts";
import { readTokenizerFiles } from "../src/checkpoint/tokenizer/load-text-tokenizer.ts";
import { createBatcher } from "../src/engine/generate/batcher.ts";
import type { SamplerSettings } from "../src/engine/generate/sampler-settings.ts";
import { LOGIT_BLOCK } from "../src/engine/graph/parts/vocabulary.ts";
import type { LanguageModel } from "../src/engine/language-model.ts";
import type { SinglePosition } from "../src/engine/places.ts";
import type { DecoderPassResult, DecoderSession } from "../src/engine/session/decoder-session.ts";
import type { PromptFormat } from "../src/engine/tokenizer/prompt-format.ts";
import { createTextTokenizer, type TextTokenizer } from "../src/engine/tokenizer/text-tokenizer.ts";
import type { ServerPool } from "../src/net/server-pool.ts";
import { readRuns } from "../src/samples/read-runs.ts";
import type { RunRecord } from "../src/samples/run-record.ts";
import type { TraceRow } from "../src/states/state-index.ts";
import { readJsonl, writeJsonl } from "../src/store/jsonl.ts";
import { generateRuns } from "../src/study/steps/generate-runs.ts";
import { traceRuns } from "../src/study/steps/trace-runs.ts";
import { type TraceVerdict, verifyTrace } from "../src/study/steps/verify-trace.ts";
import { openWorkspace } from "../src/study/workspace.ts";
import { finishOpening } from "./fakes/finish-opening.ts";
import { finishStep } from "./fakes/finish-step.ts";
import { PLAIN_SAMPLER } from "./fakes/plain-sampler.ts";

/** Index within the generated tokens, and the token's text. */
type Place = readonly [index: number, token: string];

/** What a model writes, and what must come of it; all of it worked out by hand. */
interface Layout {
  readonly name: string;
  readonly format?: PromptFormat;
  readonly sampler?: Partial<SamplerSettings>;
  /** The think tags are no tokens, and have to be spelled out. */
  readonly spellsTags?: true;
  /** Token by token; the model is made to write just these. */
  readonly writes: readonly string[];
  /** What a server would say ended it: a token, a stop string, or nothing. */
  readonly stop: "token" | "string" | null;
  readonly output: string;
  readonly think: string;
  readonly answer: string;
  readonly answerTokens: number;
  readonly span: RunRecord["think_token_indices"];
  readonly status: RunRecord["think_status"];
  readonly places: Readonly<Record<Exclude<SinglePosition, "before-generation">, Place | null>>;
}

const END = "<|im_end|>";
const NO_REASONING = { think: "", span: null, status: "none" } as const;
const FEW_SHOT: PromptFormat = {
  kind: "few-shot",
  shots: [{ question: "What is 1 + 1?", answer: "2" }],
};
const OPENED: PromptFormat = {
  kind: "template",
  template: { name: "opened", text: "Question: {question}\n<think>" },
};

const LAYOUTS: readonly Layout[] = [
  {
    name: "1. reasoning, an answer and the end token",
    writes: ["<think>", "7", " +", " ", "5", "</think>", "1", "2", END],
    stop: "token",
    output: "<think>7 + 5</think>12",
    think: "7 + 5",
    answer: "12",
    answerTokens: 8,
    span: [1, 5],
    status: "closed",
    places: { "second-to-last": [7, "2"], "think-end": [5, "</think>"], "last-token": [8, END] },
  },
  {
    name: "2. the papers' few shots: a short answer and the line break that stops it",
    format: FEW_SHOT,
    writes: [" ", "1", "2", "\n"],
    stop: "string",
    output: " 12",
    answer: "12",
    answerTokens: 3,
    ...NO_REASONING,
    places: { "second-to-last": [2, "2"], "think-end": null, "last-token": [3, "\n"] },
  },
  {
    name: "3. a stop string of several tokens",
    format: "notebook",
    sampler: { stopStrings: ["\nQuestion:"] },
    writes: [" ", "1", "2", "\n", "Q", "u", "estion", ":"],
    stop: "string",
    output: " 12",
    answer: "12",
    answerTokens: 3,
    ...NO_REASONING,
    places: { "second-to-last": [2, "2"], "think-end": null, "last-token": [7, ":"] },
  },
  {
    name: "4. a stop string that begins within the answer's last token, which then is both",
    format: FEW_SHOT,
    writes: [" ", "1", "2", ".\n"],
    stop: "string",
    output: " 12.",
    answer: "12.",
    answerTokens: 4,
    ...NO_REASONING,
    places: { "second-to-last": [3, ".\n"], "think-end": null, "last-token": [3, ".\n"] },
  },
  {
    name: "5. nothing but a stop string",
    format: FEW_SHOT,
    writes: ["\n"],
    stop: "string",
    output: "",
    answer: "",
    answerTokens: 0,
    ...NO_REASONING,
    places: { "second-to-last": null, "think-end": null, "last-token": [0, "\n"] },
  },
  {
    name: "6. an answer that is cut off, in the middle of what would be a stop string",
    format: "notebook",
    sampler: { stopStrings: ["\nQuestion:"], maxNewTokens: 4 },
    writes: ["1", "2", "\n", "Q"],
    stop: null,
    output: "12\nQ",
    answer: "12\nQ",
    answerTokens: 4,
    ...NO_REASONING,
    places: { "second-to-last": [3, "Q"], "think-end": null, "last-token": [3, "Q"] },
  },
  {
    name: "7. reasoning that a prompt opened unseen: only the closing token is there",
    format: "notebook",
    writes: ["7", " +", " ", "5", "</think>", "1", "2", END],
    stop: "token",
    output: "7 + 5</think>12",
    think: "7 + 5",
    answer: "12",
    answerTokens: 7,
    span: [0, 4],
    status: "closed",
    places: { "second-to-last": [6, "2"], "think-end": [4, "</think>"], "last-token": [7, END] },
  },
  {
    name: "8. a plain answer that spells out an opening tag",
    writes: ["a", " t", "a", "g", " ", "<", "t", "h", "in", "k", ">", END],
    stop: "token",
    output: "a tag <think>",
    answer: "a tag <think>",
    answerTokens: 11,
    ...NO_REASONING,
    places: { "second-to-last": [10, ">"], "think-end": null, "last-token": [11, END] },
  },
  {
    name: "9. a closing tag that is spelled out before the token",
    writes: ["<think>", "<", "/", "t", "h", "in", "k", ">", " is", "</think>", "1", "2", END],
    stop: "token",
    output: "<think></think> is</think>12",
    think: "</think> is",
    answer: "12",
    answerTokens: 12,
    span: [1, 9],
    status: "closed",
    places: { "second-to-last": [11, "2"], "think-end": [9, "</think>"], "last-token": [12, END] },
  },
  {
    name: "10. an opening token after the prompt's own, and once more within the reasoning",
    format: OPENED,
    writes: ["<think>", "7", "<think>", " +", "</think>", "1", "2", END],
    stop: "token",
    output: "<think>7<think> +</think>12",
    think: "7 +",
    answer: "12",
    answerTokens: 7,
    span: [1, 4],
    status: "closed",
    places: { "second-to-last": [6, "2"], "think-end": [4, "</think>"], "last-token": [7, END] },
  },
  {
    name: "11. several closing tokens, of which the first counts",
    writes: ["<think>", "7", "</think>", "1", "</think>", "2", END],
    stop: "token",
    output: "<think>7</think>1</think>2",
    think: "7",
    answer: "1</think>2",
    answerTokens: 6,
    span: [1, 2],
    status: "closed",
    places: { "second-to-last": [5, "2"], "think-end": [2, "</think>"], "last-token": [6, END] },
  },
  {
    name: "12. reasoning that a stop token ends",
    sampler: { stopTokenIds: [26] }, // ";"
    writes: ["<think>", "7", " +", ";"],
    stop: "token",
    output: "<think>7 +",
    think: "7 +",
    answer: "",
    answerTokens: 3,
    span: [1, 3],
    status: "truncated",
    places: { "second-to-last": [2, " +"], "think-end": null, "last-token": [3, ";"] },
  },
  {
    name: "13. spelled-out reasoning of a model without think tokens",
    spellsTags: true,
    writes: ["<", "t", "h", "in", "k", ">", "7", "<", "/", "t", "h", "in", "k", ">", "1", "2", END],
    stop: "token",
    output: "<think>7</think>12",
    think: "7",
    answer: "12",
    answerTokens: 16,
    span: [6, 13], // the token at 13 completes the tag
    status: "closed",
    places: { "second-to-last": [15, "2"], "think-end": [13, ">"], "last-token": [16, END] },
  },
  {
    name: "14. a plain answer of such a model that mentions both tags",
    spellsTags: true,
    writes: ["a", "<", "t", "h", "in", "k", ">", " ", "<", "/", "t", "h", "in", "k", ">", END],
    stop: "token",
    output: "a<think> </think>",
    answer: "a<think> </think>",
    answerTokens: 15,
    ...NO_REASONING,
    places: { "second-to-last": [14, ">"], "think-end": null, "last-token": [15, END] },
  },
];

const POCKET = fileURLToPath(new URL("../models/pocket", import.meta.url));
const SAMPLER: SamplerSettings = { ...PLAIN_SAMPLER, temperature: 0 };

describe("where an answer is, and what of it is reasoning", () => {
  let pocket: LanguageModel;
  let spelling: LanguageModel;
  let root: string;
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "sep-layouts-"));
    pocket = await loadModel("pocket", { threads: 1 });
    const { json, chatTemplate, ...files } = await readTokenizerFiles(POCKET);
    const stated = JSON.parse(new TextDecoder().decode(json)) as {
      readonly added_tokens: readonly { readonly content: string }[];
    };
    const tokenizer = createTextTokenizer({
      ...files,
      tokenizer: {
        ...stated,
        added_tokens: stated.added_tokens.filter(({ content }) => !content.includes("think")),
      },
      chatTemplate: chatTemplate?.source ?? null,
    });
    spelling = { ...pocket, tokenizer };
  });
  afterAll(async () => {
    await pocket[Symbol.asyncDispose]();
    await rm(root, { recursive: true });
  });

  it.each(LAYOUTS)("$name", async ({ format = "chat", sampler, spellsTags, writes, ...expected }) => {
    const model = spellsTags ? spelling : pocket;
    const tokens = idsOf(model.tokenizer, writes);
    const workspace = openWorkspace(await mkdtemp(join(root, "study-")));
    await writeJsonl(workspace.raw("math"), [{ id: "q", question: "What is 7 + 5?", answer: "12" }]);
    const asked = { sampler: { ...SAMPLER, ...sampler }, runs: 1, promptFormat: format };
    await finishStep(generateRuns(workspace, "math", { model: dictate(model, tokens), ...asked }));
    const {
      runs: [run],
      problems,
    } = await readRuns(workspace.runs("math"));
    expect(problems).toEqual([]);
    const finish_reason = expected.stop === null ? "length" : "stop";
    expect(run).toMatchObject({
      tokens,
      output_text: expected.output,
      think_text: expected.think,
      answer_text: expected.answer,
      answer_token_count: expected.answerTokens,
      think_token_indices: expected.span,
      think_status: expected.status,
      finish_reason,
    });

    await finishStep(traceRuns(workspace, "math", { model }));
    const { rows } = await readJsonl(workspace.hiddenStatesIndex("math"), {
      parse: (value) => value as TraceRow,
    });
    const promptLength = run!.prompt_tokens.length;
    const found = rows.map(({ position, token_index, token }) => [
      position,
      [token_index - promptLength, token],
    ]);
    const before = model.tokenizer.decode(run!.prompt_tokens.slice(-1));
    expect({ "second-to-last": null, "think-end": null, ...Object.fromEntries(found) }).toEqual({
      "before-generation": [-1, before],
      ...expected.places,
    });
    const verdict = await verdictOf(verifyTrace(workspace, "math", { model }));
    expect(verdict.checks.filter(({ failed }) => failed > 0)).toEqual([]);
    expect(verdict.checks.find(({ name }) => name === "answer")!.checked).toBe(1);

    // a server that draws the same tokens
    const served = { name: "pocket", maxModelLength: null };
    const backend = createVllmAnswers({ model, pool: serve(tokens, expected.stop), served });
    const prompt = { text: "", tokenIds: run!.prompt_tokens, opensReasoning: false };
    // no prompts to hold against the server, which answers the question alone
    await using server = await finishOpening(backend.openSampler([]));
    const drawing = { runIds: [0], sampler: run!.sampler, seed: 1, streamKey: "q" };
    expect(await server.draw(prompt, drawing)).toMatchObject([
      {
        tokenIds: tokens,
        text: expected.output,
        answerTokenCount: expected.answerTokens,
        finishReason: finish_reason,
      },
    ]);
  });
});

/** Ids of tokens by their texts. */
function idsOf({ decode }: TextTokenizer, texts: readonly string[]): number[] {
  const known = new Map(Array.from({ length: 768 }, (_, id) => [decode([id]), id]));
  return texts.map((text) => known.get(text) ?? expect.unreachable(`${text} is no token`));
}

/** The model, whose logits leave it no other choice than these tokens. */
function dictate(model: LanguageModel, tokens: readonly number[]): LanguageModel {
  let written = 0;
  const next = (): Pick<DecoderPassResult, "logits" | "predicted"> => {
    const logits = new Float32Array(model.config.vocabularySize);
    const token = tokens[written++] ?? expect.unreachable("the answer goes on");
    logits[token] = 20;
    const block = Math.floor(token / LOGIT_BLOCK);
    const blockLogits = new Float32Array(LOGIT_BLOCK);
    blockLogits[token % LOGIT_BLOCK] = 20;
    const sums = { highest: 20, highestLogprob: 0, entropy: 0, temperedMass: 1, window: 1 };
    return { logits, predicted: [{ ...sums, blocks: Int32Array.of(block), blockLogits }] };
  };
  const session: DecoderSession = {
    ...model.session,
    run: async (pass) => {
      const result = await model.session.run(pass);
      return pass.logitRows.length === 0 ? result : { ...result, ...next() };
    },
  };
  const limits = { rows: 1, kvBytes: 0 };
  return { ...model, session, batcher: createBatcher({ session, threads: 1 }, limits) };
}

/** As vLLM answers: all tokens that were drawn, and what stopped it. */
function serve(tokens: readonly number[], stop: Layout["stop"]): ServerPool {
  const choice = {
    finish_reason: stop === null ? "length" : "stop",
    stop_reason: stop === "token" ? tokens.at(-1) : stop === "string" ? "its text" : null,
    token_ids: tokens,
    logprobs: {
      tokens: tokens.map((id) => `token_id:${id}`),
      token_logprobs: tokens.map(() => 0),
      top_logprobs: tokens.map((id) => ({ [`token_id:${id}`]: 0 })),
    },
  };
  return {
    servers: [],
    post: async () => ({ status: 200, text: JSON.stringify({ choices: [choice] }) }),
    ask: () => expect.unreachable("nothing is asked"),
    [Symbol.asyncDispose]: async () => undefined,
  } as unknown as ServerPool;
}

async function verdictOf(steps: AsyncGenerator<unknown, TraceVerdict>): Promise<TraceVerdict> {
  for (;;) {
    const next = await steps.next();
    if (next.done) return next.value;
  }
}
