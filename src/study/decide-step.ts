import { SepError } from "../errors.ts";
import type { Json } from "../formats/json.ts";
import { fingerprintFile } from "../store/fingerprint.ts";
import { type Manifest, readManifest, staleReasons } from "../store/manifest.ts";
import {
  manifestPathOf,
  nameWithin,
  type RunState,
  readRunState,
  refuseForeign,
} from "../store/output-ownership.ts";
import { fileExists } from "../store/read-file.ts";
import { listShortly } from "../text/shorten.ts";
import { type Chain, openChain, requireCurrent } from "./chain.ts";
import { producerOf, type StepName, type Workspace } from "./workspace.ts";

/** One run of one step: what it reads, writes and depends on. */
export interface StepDefinition {
  readonly step: StepName;
  /** "math", "ood", or "" for a step over both. */
  readonly part: string;
  /** Paths; all must exist. */
  readonly inputs: readonly string[];
  /** Paths, the main output first; its manifest and lock are beside it. */
  readonly outputs: readonly string[];
  readonly settings: Readonly<Record<string, Json>>;
  /** As in the manifest. */
  readonly grounds?: Manifest["grounds"] | undefined;
  /**
   * What to do with outputs that were made with other settings or from other inputs: "redo" for steps that are cheap to run
   * again, "refuse" for those whose work would be lost.
   */
  readonly whenStale: "redo" | "refuse";
  /** Whether the existing outputs are part of what is now requested, so that the body can build on them. */
  readonly extendsPrevious?: (previous: Manifest) => boolean;
  /**
   * Throws what the body would throw, without writing anything; called when a run is only planned.
   * @throws SepError
   */
  readonly check?: () => Promise<void>;
  /** Removes what only an interrupted run would need; called when the manifest is on disk. */
  readonly cleanUp?: () => Promise<void>;
}

/**
 * What a step would do.
 * - `make`: its outputs do not exist.
 * - `extend`: they are part of what is requested.
 * - `redo`: they are replaced.
 * - `keep`: they are current.
 */
export type StepAction = "make" | "extend" | "redo" | "keep";

/** One step of a plan. */
export interface PlannedStep {
  readonly step: StepName;
  readonly part: string;
  readonly action: StepAction;
  /** Why existing outputs are extended or replaced. */
  readonly reasons: readonly string[];
  /** Absolute paths. */
  readonly outputs: readonly string[];
}

/** What steps would do in sequence, as far as it is known; nothing has been written. */
export interface StepPlan {
  readonly steps: PlannedStep[];
}

/** Whether an earlier step of the plan writes the file. */
export const isPending = ({ steps }: StepPlan, path: string): boolean =>
  steps.some(({ action, outputs }) => action !== "keep" && outputs.includes(path));

interface StepDecision {
  readonly action: StepAction;
  readonly reasons: readonly string[];
  /** Path (relative to the workspace) -> SHA-256. */
  readonly inputs: Readonly<Record<string, string>>;
  /** null if there is none, or if it does not count because of `force`. */
  readonly previous: Manifest | null;
  /** How far a killed run had come; null if none was killed. */
  readonly killed: RunState | null;
}

interface DecideOptions {
  readonly force: boolean;
  readonly plan?: StepPlan;
  readonly chain?: Chain;
}

/**
 * Decides what a step does, and refuses what it must not do. Only reads. In a plan, inputs that earlier steps
 * will write are assumed to differ from the existing files.
 * @throws SepError `missing-input`, `stale-input`, `output-differs`
 */
export async function decideStep(
  workspace: Workspace,
  { step, inputs: paths, outputs, settings, whenStale, extendsPrevious }: StepDefinition,
  { force, plan = { steps: [] }, chain = openChain() }: DecideOptions,
): Promise<StepDecision> {
  const main = outputs[0] as string;
  const name = (path: string): string => nameWithin(workspace, path);
  const there = paths.filter((path) => !isPending(plan, path));
  for (const path of there) await requireInput(path, step);
  await requireCurrent(there, step, chain);
  const inputs: Record<string, string> = {};
  for (const path of paths)
    inputs[name(path)] = there.includes(path) ? await chain.fingerprint(path) : "not made yet";

  const killed = await readRunState(main);
  if (!force && killed === null) await refuseForeignOutputs(workspace, step, outputs);
  const previous = force ? null : await readManifest(manifestPathOf(main));
  const decided = { inputs, previous, killed };
  if (previous === null) {
    const replaced = force && (await fileExists(main));
    return { ...decided, action: replaced ? "redo" : "make", reasons: replaced ? ["--force"] : [] };
  }
  const gone: string[] = [];
  for (const path of outputs) if (!(await fileExists(path))) gone.push(path);
  const left = outputs.filter((path) => !gone.includes(path));
  const replaced = killed === null ? [] : await changedOutputs(left, previous, name);
  const reasons = [
    ...staleReasons(previous, { settings, inputs }),
    ...gone.map((path) => `${name(path)} is gone`),
    ...replaced.map((path) => `${name(path)} belongs to a run that was stopped`),
  ];
  if (reasons.length === 0) return { ...decided, action: "keep", reasons };
  const extendable = extendsPrevious?.(previous) ?? false;
  if (whenStale === "refuse" && !extendable && !gone.includes(main)) {
    throw new SepError(
      "output-differs",
      `${name(main)} was made differently: ${listShortly(reasons, LIST_OF_REASONS)}. Use --force to replace it, or choose another folder with --out.`,
    );
  }
  return { ...decided, action: extendable ? "extend" : "redo", reasons };
}

/**
 * Outputs that a step did not write, or that were edited since, are never replaced without `--force`.
 * @throws SepError `output-differs`
 */
export async function refuseForeignOutputs(
  workspace: Workspace,
  step: StepName,
  outputs: readonly string[],
): Promise<void> {
  const main = outputs[0] as string;
  if ((await readRunState(main)) !== null) return;
  const previous = await readManifest(manifestPathOf(main));
  for (const path of outputs) {
    const name = nameWithin(workspace, path);
    await refuseForeign(path, previous?.outputs[name], step, name);
  }
}

/** A step may have dozens of outputs, and nobody reads so many reasons. */
export const LIST_OF_REASONS = { most: 8, separator: "; " } as const;

/**
 * @param reader the step or command that is about to read the file
 * @throws SepError `missing-input`
 */
export async function requireInput(path: string, reader: string): Promise<void> {
  if (await fileExists(path)) return;
  throw new SepError("missing-input", describeMissing(path, reader));
}

function describeMissing(path: string, reader: string): string {
  const producer = producerOf(path);
  if (producer === null)
    return `\`sep ${reader}\` reads ${path}, which does not exist. Give a file that exists.`;
  const reads =
    producer === `sep ${reader}`
      ? `${path} does not exist`
      : `\`sep ${reader}\` reads ${path}, which does not exist`;
  return `${reads}: \`${producer}\` writes it. Run \`${producer}\` first, or all steps with \`sep run\`.`;
}

/**
 * Path as in manifests -> fingerprint.
 * @param known those that need not be read, by path
 */
export async function fingerprintAll(
  paths: readonly string[],
  name: (path: string) => string,
  known: ReadonlyMap<string, string> = new Map(),
): Promise<Record<string, string>> {
  const entries: Record<string, string> = {};
  for (const path of paths) entries[name(path)] = known.get(path) ?? (await fingerprintFile(path));
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
