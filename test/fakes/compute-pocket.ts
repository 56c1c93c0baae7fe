import {
  buildPrompt,
  type DeviceName,
  type LanguageModel,
  type ModelFiles,
  memorySource,
  openModel,
  openOrtWeb,
  type Runtime,
  sampleAnswers,
  type WebBuild,
} from "../../src/engine/engine.ts";
import { PLAIN_SAMPLER } from "./plain-sampler.ts";

// What test/engine-browser.test.ts has computed in Node and in a browser: there, this file is the bundle's entry.

const QUESTIONS = ["What is the capital of France?", "What is 7 plus 5?", "Who wrote the book?"];

export interface Computed {
  readonly provenance: unknown;
  /** Per question. */
  readonly texts: readonly string[];
  readonly tokenIds: readonly (readonly number[])[];
  /** Of the first question's prompt: [positions, layers, D]. */
  readonly residuals: readonly number[];
}

/** Greedy answers, and every layer's residual stream. */
export async function compute(model: LanguageModel): Promise<Computed> {
  const prompts = QUESTIONS.map((question) => buildPrompt(model.tokenizer, question));
  const answers = [];
  for (const { tokenIds } of prompts) {
    answers.push(
      ...(await sampleAnswers(model, tokenIds, {
        runIds: [0],
        sampler: { ...PLAIN_SAMPLER, temperature: 0 },
        seed: 0,
        streamKey: "greedy",
      })),
    );
  }
  const { residuals } = await model.trace(prompts[0]?.tokenIds ?? []);
  return {
    provenance: model.provenance,
    texts: answers.map(({ text }) => text),
    tokenIds: answers.map(({ tokenIds }) => tokenIds),
    residuals: [...residuals],
  };
}

/** @param read gives a file of the model's folder */
export async function openPocket(
  runtime: Runtime,
  read: (name: string) => Promise<Uint8Array>,
  device: DeviceName = "cpu",
): Promise<LanguageModel> {
  const files: ModelFiles = {
    config: await read("config.json"),
    tokenizer: await read("tokenizer.json"),
    tokenizerConfig: await read("tokenizer_config.json"),
    generationConfig: await read("generation_config.json"),
    weights: [memorySource("model.safetensors", await read("model.safetensors"))],
  };
  return openModel(runtime, files, { id: "pocket", device });
}

/** In a page that serves the model's folder at /pocket/ and onnxruntime-web at /ort/. */
export async function computeInPage(build: WebBuild = "wasm"): Promise<Computed> {
  const runtime = await openOrtWeb({ wasmPaths: "/ort/", build });
  const read = async (name: string): Promise<Uint8Array> => {
    const response = await fetch(`/pocket/${name}`);
    return new Uint8Array(await response.arrayBuffer());
  };
  const model = await openPocket(runtime, read, build === "webgpu" ? "webgpu" : "cpu");
  const computed = await compute(model);
  await model[Symbol.asyncDispose]();
  return computed;
}
