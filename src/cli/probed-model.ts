import { composeLive } from "../backends/compose-live.ts";
import type { LiveModel } from "../backends/live-model.ts";
import { requirePart } from "../backends/load-backend.ts";
import { createLocalBackend, liveModelOf } from "../backends/local/local-backend.ts";
import { openModel } from "../checkpoint/load-model.ts";
import { MODEL_DTYPES } from "../engine/runtime/device.ts";
import type { PromptFormat } from "../engine/tokenizer/prompt-format.ts";
import { SepError } from "../errors.ts";
import { drain } from "../net/map-concurrently.ts";
import type { Probe } from "../probes/probe.ts";
import { layersOf } from "../probes/score-probe.ts";
import { engineOptionsOf, openBackend } from "../study/open-backends.ts";
import { readPromptFormat } from "../study/sampling/plan-generation.ts";
import { ENGINE, isLocal, NNSIGHT, VLLM, VLLM_SERVER } from "../study/settings/backends.ts";
import { PROMPT } from "../study/settings/sampling.ts";
import { describeSetting, redescribe, type SettingsOutput, text } from "../study/settings/setting.ts";
import type { StepEvent } from "../study/step.ts";
import type { CliContext } from "./command.ts";

/** Which model answers, and where it runs, where probes say most of it. */
export const PROBED_MODEL = {
  model: text(
    "ID|DIR|pocket",
    "The probe's model at another place; it must have the weights that the probe was fitted on.",
    "the probe's",
  ),
  ...ENGINE,
  ...NNSIGHT,
  ...VLLM,
  ...VLLM_SERVER,
};

type Values = SettingsOutput<typeof PROBED_MODEL>;

/** How questions become prompts, where a probe records only a hash of it. */
export const PROBED_PROMPT = {
  promptFormat: text(
    describeSetting("promptFormat", PROMPT.promptFormat).placeholder,
    "As for `sep generate`; only for few-shot prompts and templates, and for probes that do not record their prompt format.",
    "the probe's",
    { group: "Prompt" },
  ),
  shots: redescribe(PROMPT.shots, {
    help: "Question set whose first five questions are the examples of --prompt-format few-shot.",
    fallback: "the probe's",
  }),
};

/** @throws SepError `bad-option` for one of the two options without the other; as `readPrompt` */
export async function readProbedPrompt(
  { promptFormat: name, shots }: SettingsOutput<typeof PROBED_PROMPT>,
  { env, signal }: CliContext,
): Promise<PromptFormat | undefined> {
  if (shots !== undefined && name === undefined)
    throw new SepError("bad-option", "Got --shots, expected --prompt-format few-shot with it.");
  if (name === undefined) return undefined;
  const format = await drain(readPromptFormat(name, shots, { hub: { env }, signal }));
  if (format !== "few-shot") return format;
  throw new SepError(
    "bad-option",
    "Got --prompt-format few-shot without --shots, expected the file with the examples.",
  );
}

/** A model that answers, and all that it needs. */
export interface OpenedLive extends AsyncDisposable {
  readonly live: LiveModel;
}

/**
 * Opens the model of probes, in the dtype that their states were traced in, since another makes other states.
 * @param probes at least one
 * @param isForMany whether many questions will be asked at a time, so that threads of their own are worth their start
 * @throws SepError those of the backends; `bad-option` where neither the options nor the first probe name a model
 */
export async function* openProbedModel(
  probes: readonly Probe[],
  values: Values,
  { isForMany }: { readonly isForMany: boolean },
  { env, signal }: CliContext,
): AsyncGenerator<StepEvent, OpenedLive> {
  const source = probes[0]?.source ?? {};
  const model = values.model ?? nameModel(source);
  const hub = { env };
  if (isLocal(values.backend)) {
    const dtype = MODEL_DTYPES.find((name) => name === source.dtype) ?? "float32";
    const opened = yield* openModel(model, { ...engineOptionsOf(values), dtype, hub, signal });
    const live = isForMany ? yield* createLocalBackend(opened).openLive() : liveModelOf(opened);
    return owning(live, opened);
  }
  const layers = [...new Set(probes.flatMap(layersOf))].sort((a, b) => a - b);
  const settings = { ...values, model, dtype: undefined };
  const backend = yield* openBackend({ ...settings, layers }, { root: ".", hub, signal, step: "trace" });
  try {
    const parts = backend.live ?? composeLive(backend.answers, requirePart(backend, "states"));
    return owning(yield* parts.openLive(), backend);
  } catch (error) {
    await backend[Symbol.asyncDispose]();
    throw error;
  }
}

const owning = (live: LiveModel, parts: AsyncDisposable): OpenedLive => ({
  live,
  async [Symbol.asyncDispose]() {
    await live[Symbol.asyncDispose]();
    await parts[Symbol.asyncDispose]();
  },
});

/** The model that a probe was fitted on, by its record. */
function nameModel({ model, model_revision: revision }: Probe["source"]): string {
  if (model === undefined)
    throw new SepError(
      "bad-option",
      "The probe does not say which model it was fitted on. Name it with --model.",
    );
  return revision === undefined || model.includes("@") ? model : `${model}@${revision}`;
}
