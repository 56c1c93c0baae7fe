import type { EstimateCost } from "../entropy/estimates/measure-estimates.ts";
import { SepError } from "../errors.ts";
import { fingerprintFile } from "../store/fingerprint.ts";
import type { Json } from "../store/json.ts";
import { acquireLock } from "../store/lock.ts";
import {
  type Manifest,
  type ManifestWarning,
  readManifest,
  staleReasons,
  writeManifest,
} from "../store/manifest.ts";
import { removeLeftovers } from "../store/write-atomic.ts";
import { fileExists } from "./file-exists.ts";
import {
  manifestPathOf,
  nameWithin,
  readRunState,
  refuseForeign,
  removeRunState,
  writeRunState,
} from "./output-ownership.ts";
import { readTool } from "./version.ts";
import type { Workspace } from "./workspace.ts";

export const STEP_NAMES = [
  "prepare",
  "generate",
  "entropy",
  "trace",
  "dataset",
  "train",
  "eval",
  "transfer",
  "import",
  "report",
] as const;
export type StepName = (typeof STEP_NAMES)[number];

/** What there are events about: a step, or what a step needs first: a model's download, what to
 * compute on, and a server. */
export type ActivityName = StepName | "download" | "device" | "server";

/** What a running step reports; the progress bar, the notebook and the server all render these. */
export type StepEvent =
  /** `done` of `total` units were already on disk from an interrupted run. The unit "byte" is shown as megabytes. */
  | {
      readonly kind: "started";
      readonly step: ActivityName;
      readonly part: string;
      readonly unit: string;
      readonly done: number;
      readonly total: number;
    }
  | {
      readonly kind: "advanced";
      readonly step: ActivityName;
      readonly part: string;
      readonly done: number;
      readonly total: number;
      readonly detail?: string;
    }
  /** What each of the estimates that were asked for took. */
  | {
      readonly kind: "estimates";
      readonly step: ActivityName;
      readonly part: string;
      readonly questions: number;
      readonly costs: readonly EstimateCost[];
    }
  | { readonly kind: "note"; readonly step: ActivityName; readonly part: string; readonly message: string }
  | {
      readonly kind: "warning";
      readonly step: ActivityName;
      readonly part: string;
      readonly warning: ManifestWarning;
    };

/** What a step did. */
export interface StepResult {
  readonly step: StepName;
  readonly part: string;
  readonly status: "ran" | "up-to-date";
  /** Absolute paths. */
  readonly outputs: readonly string[];
  readonly counts: Readonly<Record<string, number>>;
  readonly warnings: readonly ManifestWarning[];
}

/** One run of one step: what it reads, writes and depends on. */
export interface StepDefinition {
  readonly step: StepName;
  /** "math", "ood", or "" for a step over both. */
  readonly part: string;
  /** Paths; all must exist. */
  readonly inputs: readonly string[];
  /** Paths, the main output first; its manifest and lock stand beside it. */
  readonly outputs: readonly string[];
  readonly settings: Readonly<Record<string, Json>>;
  /**
   * What to do when outputs exist that other settings or inputs made: "redo" for steps that are cheap to run
   * again, "refuse" for those whose work would be lost.
   */
  readonly whenStale: "redo" | "refuse";
  /** Whether the existing outputs are a part of what is asked for now, so that the body can build on them. */
  readonly extendsPrevious?: (previous: Manifest) => boolean;
  /** Removes what only an interrupted run would need; called when the manifest is on disk. */
  readonly cleanUp?: () => Promise<void>;
}

/** What a step's body hands back when its outputs are complete. */
export interface StepOutcome {
  readonly counts: Readonly<Record<string, number>>;
  readonly warnings: readonly ManifestWarning[];
}

/**
 * Runs a step once: takes its lock, skips it when its outputs are current, says why when they are stale, runs
 * the body, and writes the manifest last, so that a manifest always describes complete outputs.
 * @throws SepError `missing-input`, `output-locked`, `output-differs`
 */
export async function* runStep(
  workspace: Workspace,
  definition: StepDefinition,
  { force = false }: { readonly force?: boolean },
  body: () => AsyncGenerator<StepEvent, StepOutcome>,
): AsyncGenerator<StepEvent, StepResult> {
  const { step, part, outputs, settings } = definition;
  const main = outputs[0] as string;
  const name = (path: string): string => nameWithin(workspace, path);
  for (const path of definition.inputs) await requireInput(path, step);
  await using _lock = await acquireLock(`${main}.lock`);
  for (const path of outputs) await removeLeftovers(path);

  const inputs = await fingerprintAll(definition.inputs, name);
  const manifestPath = manifestPathOf(main);
  const killed = await readRunState(main);
  const finish = async (): Promise<void> => {
    await definition.cleanUp?.();
    await removeRunState(main);
  };
  const previous = force ? null : await readManifest(manifestPath);
  if (!force && killed === null) {
    for (const path of outputs) await refuseForeign(path, previous?.outputs[name(path)], step, name(path));
  }
  if (previous !== null) {
    const gone = await missingOutputs(outputs);
    const there = outputs.filter((path) => !gone.includes(path));
    const replaced = killed === null ? [] : await changedOutputs(there, previous, name);
    const reasons = [
      ...staleReasons(previous, { settings, inputs }),
      ...gone.map((path) => `${name(path)} is gone`),
      ...replaced.map((path) => `${name(path)} is of a run that was stopped`),
    ];
    if (reasons.length === 0) {
      // stopped while it cleaned up; what one that was still making its outputs left is not this run's to remove
      if (killed === "made") await finish();
      yield { kind: "note", step, part, message: `${name(main)} is up to date` };
      return {
        step,
        part,
        status: "up-to-date",
        outputs,
        counts: previous.counts,
        warnings: previous.warnings,
      };
    }
    const extendable = definition.extendsPrevious?.(previous) ?? false;
    if (definition.whenStale === "refuse" && !extendable && !gone.includes(main)) {
      throw new SepError(
        "output-differs",
        `${name(main)} was made differently: ${listReasons(reasons)}. Use --force to replace it, or --out for another folder.`,
      );
    }
    const state = extendable ? "extended" : "stale";
    yield { kind: "note", step, part, message: `${name(main)} is ${state}: ${listReasons(reasons)}` };
  }

  await writeRunState(main, "making");
  const { counts, warnings } = yield* body();
  const manifest: Manifest = {
    tool: readTool(),
    step,
    settings,
    inputs,
    outputs: await fingerprintAll(outputs, name),
    counts,
    warnings,
  };
  await writeRunState(main, "made");
  await writeManifest(manifestPath, manifest);
  await finish();
  return { step, part, status: "ran", outputs, counts, warnings };
}

/** A step may have dozens of outputs; nobody reads so many reasons. */
function listReasons(reasons: readonly string[]): string {
  const left = reasons.length - SHOWN_REASONS;
  return [...reasons.slice(0, SHOWN_REASONS), ...(left > 0 ? [`and ${left} more`] : [])].join("; ");
}

const SHOWN_REASONS = 8;

/** @throws SepError `missing-input` */
export async function requireInput(path: string, step: StepName): Promise<void> {
  if (await fileExists(path)) return;
  throw new SepError(
    "missing-input",
    `\`sep ${step}\` reads ${path}, which does not exist. Run the steps before it, or \`sep run\`.`,
  );
}

async function fingerprintAll(
  paths: readonly string[],
  name: (path: string) => string,
): Promise<Record<string, string>> {
  const entries: Record<string, string> = {};
  for (const path of paths) entries[name(path)] = await fingerprintFile(path);
  return entries;
}

/** Those that a manifest does not describe. */
async function changedOutputs(
  paths: readonly string[],
  { outputs }: Manifest,
  name: (path: string) => string,
): Promise<string[]> {
  const found = await fingerprintAll(paths, name);
  return paths.filter((path) => outputs[name(path)] !== found[name(path)]);
}

async function missingOutputs(outputs: readonly string[]): Promise<string[]> {
  const missing: string[] = [];
  for (const path of outputs) if (!(await fileExists(path))) missing.push(path);
  return missing;
}
