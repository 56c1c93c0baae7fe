import type { BackendWith } from "../../backends/backend.ts";
import { keepModel, openLocal } from "../../backends/local/local-backend.ts";
import { readCachedJson, writeCachedJson } from "../../checkpoint/cached-json.ts";
import { LARGE_BYTES, type LoadModelOptions, openModel } from "../../checkpoint/load-model.ts";
import type { OpeningEvent } from "../../checkpoint/opening-event.ts";
import { hasDtype } from "../../checkpoint/resolve-device.ts";
import {
  measureDivergence,
  type ReferenceAnswer,
  sampleReference,
} from "../../engine/generate/divergence.ts";
import type { LanguageModel } from "../../engine/language-model.ts";
import type { ModelDtype } from "../../engine/runtime/device.ts";
import { ortNode } from "../../engine/runtime/ort-node.ts";
import type { Prompt } from "../../engine/tokenizer/build-prompt.ts";
import { stableStringify } from "../../formats/json.ts";
import { fingerprint } from "../../store/fingerprint.ts";
import { formatSignificant } from "../../text/format-numbers.ts";
import { readTool } from "../step.ts";

/** What `auto` measures, and takes if it is close enough to float32. */
const CANDIDATE = "int8";

/** When the candidate is taken. */
export interface DtypeRule {
  /** Mean KL(float32 || int8) at most, nats per token. */
  readonly bound: number;
  /** Weights of the model in float32 at least. */
  readonly fromBytes: number;
}

const RULE: DtypeRule = { bound: 0.01, fromBytes: LARGE_BYTES };
/** Prompts that are measured, the study's first, with one answer each, … */
const MEASURED_PROMPTS = 16;
/** … of so many tokens. The mean over 512 tokens of SmolLM2-135M has a standard error of 5%. */
const MEASURED_TOKENS = 32;

/** How `--dtype auto` was resolved, as manifests have it. */
export interface DtypeChoice {
  readonly dtype: ModelDtype;
  /**
   * `divergence`: measured; `small`: too small a model to gain; `device`: it computes in float32 only; `no-prompts`: there
   * are none that leave room for an answer; `not-measured`: nothing was to be sampled.
   */
  readonly reason: "divergence" | "small" | "device" | "no-prompts" | "not-measured";
  /** Mean KL(float32 || int8), nats per token; int8 was taken if it is at most `bound`. */
  readonly divergence?: number;
  readonly bound?: number;
  readonly prompts?: number;
  /** Over all answers. */
  readonly tokens?: number;
}

/** What the answers of a study were sampled with so far. */
export interface RecordedDtype {
  readonly dtype: ModelDtype;
  readonly weightsSha256: string;
  /** null if the user named the dtype. */
  readonly choice: DtypeChoice | null;
}

export interface ChooseDtypeOptions {
  /** Kept if it is of the same weights. */
  readonly recorded: RecordedDtype | null;
  /** The prompts of the study, of which the first are measured. */
  promptsOf(model: LanguageModel): Promise<readonly Prompt[]>;
  /** Whether to measure what is not known yet; a plan of what would be done leaves that to the run. */
  readonly measures: boolean;
  /** 0.01 nats per token, and 80 MB, by default. */
  readonly rule?: DtypeRule | undefined;
}

type Engine = BackendWith<"answers" | "states">;

/**
 * Opens the local engine with the dtype that `auto` stands for: what the study's answers were sampled with so far, else the
 * int8 if its divergence from float32 on the study's own prompts is at most 0.01 nats per token, else float32. Small models
 * and devices other than the CPU take float32 unmeasured. Divergences are kept in the cache.
 * @returns the engine, and how its dtype was chosen; null where that was the user's choice earlier
 * @throws SepError as `openModel` does
 */
export async function* openWithChosenDtype(
  reference: string,
  options: Omit<LoadModelOptions, "dtype">,
  { recorded, promptsOf, measures, rule = RULE }: ChooseDtypeOptions,
): AsyncGenerator<OpeningEvent, { readonly engine: Engine; readonly choice: DtypeChoice | null }> {
  if (recorded !== null && allows(options.device, recorded.dtype)) {
    const engine = yield* openLocal(reference, { ...options, dtype: recorded.dtype });
    if (weightsOf(engine) === recorded.weightsSha256) {
      if (recorded.choice === null && recorded.dtype !== "float32") yield noteKept(engine, recorded);
      return { engine, choice: recorded.choice };
    }
    await engine[Symbol.asyncDispose]();
  }
  const model = yield* openModel(reference, { ...options, dtype: "float32" });
  const { provenance, path } = model;
  let isKept = false;
  let known: Known;
  try {
    known = yield* chooseUnmeasured(model, { promptsOf, measures, rule, signal: options.signal });
    isKept = known.choice?.dtype === "float32";
  } finally {
    if (!isKept) await model[Symbol.asyncDispose]();
  }
  if (known.choice?.dtype === "float32") return { engine: keepModel(model), choice: known.choice };
  const again = {
    ...options,
    device: { name: provenance.device },
    name: { id: provenance.id, revision: provenance.revision },
    trustedSha256: provenance.weights_sha256,
  };
  const choice = known.choice ?? (yield* measureCandidate(path, known, { ...again, bound: rule.bound }));
  return { engine: yield* openLocal(path, { ...again, dtype: choice.dtype }), choice };
}

/** What nobody asked for this time is said. */
const noteKept = ({ answers }: Engine, { dtype }: RecordedDtype): OpeningEvent => ({
  kind: "note",
  step: "dtype",
  part: answers.model.provenance.id,
  message: `${dtype}, with which the study's answers were sampled so far`,
});

/** A device that lacks the dtype cannot go on with the answers, which their step says better than the device would. */
function allows(device: LoadModelOptions["device"] = "cpu", dtype: ModelDtype): boolean {
  const name = typeof device === "string" ? device : device.name;
  return name === "auto" || hasDtype(name, dtype);
}

const weightsOf = ({ answers }: Engine): unknown =>
  (answers.identity as Readonly<Record<string, unknown>>).weights_sha256;

/** A choice, or what the candidate is to be compared with: then float32 need not be in memory beside them. */
type Known =
  | { readonly choice: DtypeChoice }
  | { readonly choice: null; readonly references: readonly ReferenceAnswer[]; readonly key: string };

interface UnmeasuredOptions extends Omit<ChooseDtypeOptions, "recorded"> {
  readonly rule: DtypeRule;
  readonly signal: AbortSignal | undefined;
}

async function* chooseUnmeasured(
  model: LanguageModel,
  { promptsOf, measures, rule, signal }: UnmeasuredOptions,
): AsyncGenerator<OpeningEvent, Known> {
  const { provenance, weightBytes } = model;
  const float32 = (reason: DtypeChoice["reason"]): Known => ({ choice: { dtype: "float32", reason } });
  if (provenance.device !== "cpu") return float32("device");
  if (weightBytes < rule.fromBytes) return float32("small");
  const prompts = chooseMeasured(await promptsOf(model), model);
  if (prompts.length === 0) return float32("no-prompts");
  const key = fingerprint(
    stableStringify({
      weights: provenance.weights_sha256,
      prompts: prompts.map(({ tokenIds, sharedTokens = [] }) => [tokenIds, sharedTokens]),
      bound: rule.bound,
      tokens: MEASURED_TOKENS,
      versions: [readTool().version, ortNode.version],
    }),
  );
  const at = { step: "dtype", part: provenance.id } as const;
  const choice = (await readCachedJson(KIND, key)) as DtypeChoice | null;
  if (choice !== null) {
    yield { kind: "note", ...at, message: describeChoice(choice) };
    return { choice };
  }
  if (!measures) {
    const message = "--dtype auto is not known yet: the run measures it before it samples";
    yield { kind: "note", ...at, message };
    return float32("not-measured");
  }
  const sampling = sampleReference(model, prompts, { tokens: MEASURED_TOKENS, signal });
  const references = yield* reportPrompts(`${provenance.id} float32`, prompts.length, sampling);
  return { choice, references, key };
}

/** Folder of the cache. */
const KIND = "dtype-divergences";

/** The study's first prompts, of those that leave room for an answer. */
const chooseMeasured = (prompts: readonly Prompt[], { config }: LanguageModel): readonly Prompt[] =>
  prompts
    .filter(({ tokenIds }) => tokenIds.length + MEASURED_TOKENS <= config.maxPositions)
    .slice(0, MEASURED_PROMPTS);

async function* measureCandidate(
  path: string,
  { references, key }: Extract<Known, { readonly choice: null }>,
  { bound, ...options }: LoadModelOptions & Pick<DtypeRule, "bound">,
): AsyncGenerator<OpeningEvent, DtypeChoice> {
  const divergence = yield* measureInt8(path, references, options);
  const choice: DtypeChoice = {
    dtype: divergence <= bound ? CANDIDATE : "float32",
    reason: "divergence",
    divergence: roundDivergence(divergence),
    bound,
    prompts: references.length,
    tokens: references.reduce((sum, { tokenIds }) => sum + tokenIds.length, 0),
  };
  await writeCachedJson(KIND, key, { ...choice });
  yield { kind: "note", step: "dtype", part: options.name?.id ?? path, message: describeChoice(choice) };
  return choice;
}

async function* measureInt8(
  path: string,
  references: readonly ReferenceAnswer[],
  options: LoadModelOptions,
): AsyncGenerator<OpeningEvent, number> {
  await using candidate = yield* openModel(path, { ...options, dtype: CANDIDATE });
  const part = `${candidate.provenance.id} ${CANDIDATE}`;
  return yield* reportPrompts(part, references.length, measureDivergence(candidate, references, options));
}

async function* reportPrompts<Result>(
  part: string,
  total: number,
  measuring: AsyncGenerator<void, Result>,
): AsyncGenerator<OpeningEvent, Result> {
  const at = { step: "dtype", part } as const;
  yield { kind: "started", ...at, unit: "prompt", done: 0, total };
  for (let done = 0; ; ) {
    const next = await measuring.next();
    if (next.done) return next.value;
    done += 1;
    yield { kind: "advanced", ...at, done, total };
  }
}

function describeChoice({ dtype, divergence = 0, bound, tokens }: DtypeChoice): string {
  const figure = formatSignificant(divergence, 2);
  return `auto is ${dtype}. int8's KL divergence from float32 is ${figure} nats per token, and at most ${bound} is allowed (${tokens} tokens of the study's first answers)`;
}

/** More digits than its standard error has would say nothing. */
const roundDivergence = (nats: number): number => Number(nats.toPrecision(4));
