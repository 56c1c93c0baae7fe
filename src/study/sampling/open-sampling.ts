import { readdir } from "node:fs/promises";
import type { Backend } from "../../backends/backend.ts";
import type { Device } from "../../checkpoint/resolve-device.ts";
import type { LanguageModel } from "../../engine/language-model.ts";
import { MODEL_DTYPES } from "../../engine/runtime/device.ts";
import type { Prompt } from "../../engine/tokenizer/build-prompt.ts";
import type { Json } from "../../formats/json.ts";
import type { Question } from "../../samples/question.ts";
import { createRunRecorder } from "../../samples/record-runs.ts";
import { errnoOf } from "../../store/file-error.ts";
import { partialPathOf, readJournalSettings } from "../../store/journal.ts";
import { readManifest } from "../../store/manifest.ts";
import { manifestPathOf } from "../../store/output-ownership.ts";
import { fileExists } from "../../store/read-file.ts";
import {
  type BackendSettings,
  engineOptionsOf,
  type OpenBackendSettings,
  openBackend,
  openEngine,
} from "../open-backends.ts";
import { isLocal } from "../settings/backends.ts";
import { parseShardFolder } from "../shards/shard.ts";
import type { StepEvent } from "../step.ts";
import {
  type DataSetName,
  openShard,
  openWorkspace,
  SPLIT_SOURCES,
  shardsFolder,
  type Workspace,
} from "../workspace.ts";
import { type DtypeChoice, type DtypeRule, openWithChosenDtype, type RecordedDtype } from "./choose-dtype.ts";
import { type GenerateRunsOptions, planGeneration, type ReadPrompt } from "./plan-generation.ts";
import { resolveSampler, type SamplerChoice } from "./resolve-sampler.ts";

/** What decides the dtype of a study's answers beside the settings of its backend. */
interface SampledStudy extends Omit<OpenBackendSettings, "root" | "step"> {
  /** The study, or its shard. */
  readonly workspace: Workspace;
  /** The question sets that are sampled. */
  readonly sets: readonly DataSetName[];
  /** Whether existing answers of these sets are to be replaced. */
  readonly force: boolean;
  readonly prompt: ReadPrompt;
  readonly limit: number | undefined;
  /** The future content of a question file. */
  readonly pendingQuestions?: (set: DataSetName) => Promise<readonly Question[] | undefined>;
  /** What `device` of the settings has been resolved to, if it has. */
  readonly device?: Device | undefined;
  /** Whether to measure what is not known yet; true by default. */
  readonly measures?: boolean | undefined;
  readonly rule?: DtypeRule | undefined;
}

/**
 * Opens what samples a study's answers. With the local engine and `--dtype auto`, all of a study's sets and shards get one
 * dtype: what some of their answers have been sampled with, else what is measured on the first prompts of the study's first
 * question set, whichever set or shard is sampled; where states are read while sampling, float32.
 * @returns the backend, and how its dtype was chosen unless the user named it
 * @throws SepError as `openBackend` and `planGeneration`
 */
export async function* openSampling(
  asked: BackendSettings & SamplerChoice & { readonly withStates?: boolean | undefined },
  study: SampledStudy,
): AsyncGenerator<StepEvent, { readonly backend: Backend; readonly dtypeChoice: DtypeChoice | null }> {
  const isAuto = isLocal(asked.backend) && (asked.dtype ?? "auto") === "auto";
  // hidden states are those of the float32 model
  const settings = isAuto && asked.withStates ? { ...asked, dtype: "float32" as const } : asked;
  const { workspace, hub, signal, device = settings.device, measures = true, rule } = study;
  const { root } = workspace;
  if (!isAuto || asked.withStates) {
    const opening = { hub, signal, step: "generate" } as const;
    const backend = isLocal(settings.backend)
      ? yield* openEngine(settings, { ...opening, device })
      : yield* openBackend(settings, { ...opening, root });
    return { backend, dtypeChoice: null };
  }
  const { engine, choice } = yield* openWithChosenDtype(
    settings.model,
    { ...engineOptionsOf(settings), device, hub, signal },
    {
      recorded: await readRecordedDtype(workspace, study),
      promptsOf: (model) => promptsOf(model, settings, study),
      measures,
      rule,
    },
  );
  return { backend: engine, dtypeChoice: choice };
}

/** As many as have surely enough that fit into the model. */
const MOST_PROMPTS = 64;

/** The first prompts of the first question set, all shards included. */
async function promptsOf(
  model: LanguageModel,
  settings: SamplerChoice,
  { workspace, prompt, limit, pendingQuestions }: SampledStudy,
): Promise<readonly Prompt[]> {
  const whole = openWorkspace(workspace.root);
  const { settings: sampler } = resolveSampler(model, settings);
  for (const set of SPLIT_SOURCES) {
    const pending = await pendingQuestions?.(set);
    if (pending === undefined && !(await fileExists(whole.raw(set)))) continue;
    const options: GenerateRunsOptions = { model, sampler, ...prompt, limit, pendingQuestions: pending };
    const { backend, questions, recording } = await planGeneration(whole, set, options);
    return questions.slice(0, MOST_PROMPTS).map(createRunRecorder(backend, recording).promptOf);
  }
  return [];
}

/** What answers of the study were sampled with: those of the asked sets first, then of others, then of other shards. */
async function readRecordedDtype(
  workspace: Workspace,
  { sets, force }: Pick<SampledStudy, "sets" | "force">,
): Promise<RecordedDtype | null> {
  const others = SPLIT_SOURCES.filter((set) => !sets.includes(set));
  const kept = force ? others : [...sets, ...others];
  for (const place of await listPlaces(workspace)) {
    for (const output of kept.flatMap((set) => [place.runs(set), place.bestRuns(set)])) {
      const recorded = await readRecord(output);
      if (recorded !== null) return recorded;
    }
  }
  return null;
}

/** A study, or a shard with its study and the other shards. */
async function listPlaces(workspace: Workspace): Promise<readonly Workspace[]> {
  const { root, shard } = workspace;
  if (shard === null) return [workspace];
  const names = await readdir(shardsFolder(root)).catch((error: unknown) => {
    if (errnoOf(error) === "ENOENT") return [];
    throw error;
  });
  const shards = names.sort().flatMap((name) => parseShardFolder(name) ?? []);
  return [workspace, openWorkspace(root), ...shards.map((other) => openShard(root, other))];
}

/** Of unfinished answers first: they are what is gone on with. */
async function readRecord(output: string): Promise<RecordedDtype | null> {
  const journal = (await readJournalSettings(partialPathOf(output))) as Settings | null;
  if (journal !== null) return toRecord(journal.model, journal.grounds);
  const manifest = await readManifest(manifestPathOf(output));
  return manifest === null ? null : toRecord(manifest.settings.model, manifest.grounds);
}

type Settings = Readonly<Record<string, Json>>;

/** @returns null for answers of another backend */
function toRecord(model: Json | undefined, grounds: Json | undefined): RecordedDtype | null {
  const { dtype: name, weights_sha256 } = (model ?? {}) as Settings;
  const dtype = MODEL_DTYPES.find((each) => each === name);
  if (dtype === undefined || typeof weights_sha256 !== "string") return null;
  const { dtype: choice = null } = (grounds ?? {}) as Settings;
  return { dtype, weightsSha256: weights_sha256, choice: choice as DtypeChoice | null };
}
