import { readFileSync } from "node:fs";
import { stat } from "node:fs/promises";
import type { OpeningEvent, ProgressEvent } from "../checkpoint/opening-event.ts";
import type { EstimateCost } from "../entropy/measures/estimate-registry.ts";
import { SepError } from "../errors.ts";
import { explainFileError } from "../store/file-error.ts";
import { acquireLock } from "../store/lock.ts";
import { type Manifest, type ManifestWarning, writeManifest } from "../store/manifest.ts";
import { manifestPathOf, nameWithin, removeRunState, writeRunState } from "../store/output-ownership.ts";
import { removeLeftovers } from "../store/write-atomic.ts";
import { listShortly } from "../text/shorten.ts";
import { openChain, requireCurrent } from "./chain.ts";
import {
  decideStep,
  fingerprintAll,
  LIST_OF_REASONS,
  requireInput,
  type StepDefinition,
  type StepPlan,
} from "./decide-step.ts";
import type { StepName, Workspace } from "./workspace.ts";

/** What an event is about: a step, or what must happen before a step can run. */
export type ActivityName = StepName | OpeningEvent["step"];

/** What a running step reports; the progress bar, the notebook and the server all render these. */
export type StepEvent =
  | ProgressEvent<ActivityName>
  /** The cost of each requested measure. */
  | {
      readonly kind: "estimates";
      readonly step: ActivityName;
      readonly part: string;
      readonly questions: number;
      readonly costs: readonly EstimateCost[];
    }
  | {
      readonly kind: "warning";
      readonly step: ActivityName;
      readonly part: string;
      readonly warning: ManifestWarning;
    };

/** What a step did, or would do if it was only planned. */
export interface StepResult {
  readonly step: StepName;
  readonly part: string;
  readonly status: "ran" | "up-to-date" | "planned";
  /** Absolute paths. */
  readonly outputs: readonly string[];
  readonly counts: Readonly<Record<string, number>>;
  readonly warnings: readonly ManifestWarning[];
}

/** What a step's body returns when its outputs are complete. */
export interface StepOutcome {
  readonly counts: Readonly<Record<string, number>>;
  readonly warnings: readonly ManifestWarning[];
  /** By path: fingerprints of outputs that are known from writing them. */
  readonly fingerprints?: ReadonlyMap<string, string>;
}

/** How a step is run. */
export interface StepControl {
  /** Makes the outputs again, even if they exist. */
  readonly force?: boolean | undefined;
  /** Only adds to this plan what would be done, and writes nothing. */
  readonly plan?: StepPlan | undefined;
}

/**
 * Runs a step once: checks its inputs against what they were made from, takes its lock, skips it if its outputs are
 * current, says why when they are stale, runs the body, and writes the manifest last, so that a manifest always
 * describes complete outputs.
 * @throws SepError `missing-input`, `stale-input`, `output-locked`, `output-differs`; what a file system refuses as
 *   `explainFileError` says it
 */
export async function* runStep(
  workspace: Workspace,
  definition: StepDefinition,
  control: StepControl,
  body: () => AsyncGenerator<StepEvent, StepOutcome>,
): AsyncGenerator<StepEvent, StepResult> {
  try {
    return yield* runLocked(workspace, definition, control, body);
  } catch (error) {
    throw explainFileError(error, definition.outputs[0]);
  }
}

async function* runLocked(
  workspace: Workspace,
  definition: StepDefinition,
  { force = false, plan }: StepControl,
  body: () => AsyncGenerator<StepEvent, StepOutcome>,
): AsyncGenerator<StepEvent, StepResult> {
  const { step, part, outputs, settings, grounds } = definition;
  const main = outputs[0] as string;
  const name = (path: string): string => nameWithin(workspace, path);
  if (plan !== undefined) {
    const { action, reasons } = await decideStep(workspace, definition, { force, plan });
    if (action !== "keep") await definition.check?.();
    plan.steps.push({ step, part, action, reasons, outputs });
    return { step, part, status: "planned", outputs, counts: {}, warnings: [] };
  }
  const chain = openChain();
  for (const path of definition.inputs) await requireInput(path, step);
  const signatures = await readSignatures(definition.inputs);
  await requireCurrent(definition.inputs, step, chain); // before the lock, which makes folders
  await using _lock = await acquireLock(`${main}.lock`);
  for (const path of outputs) await removeLeftovers(path);

  const { action, reasons, inputs, previous, killed } = await decideStep(workspace, definition, {
    force,
    chain,
  });
  const finish = async (): Promise<void> => {
    await definition.cleanUp?.();
    await removeRunState(main);
  };
  if (action === "keep") {
    const { counts, warnings } = previous as Manifest;
    // an earlier run was stopped while cleaning up; the leftovers of one that was stopped before that are not ours to delete
    if (killed === "made") await finish();
    yield { kind: "note", step, part, message: `${name(main)} is up to date` };
    return { step, part, status: "up-to-date", outputs, counts, warnings };
  }
  if (action !== "make") {
    const state = action === "extend" ? "extended" : "stale";
    yield {
      kind: "note",
      step,
      part,
      message: `${name(main)} is ${state}: ${listShortly(reasons, LIST_OF_REASONS)}`,
    };
  }

  await writeRunState(main, "making");
  const { counts, warnings, fingerprints } = yield* body();
  await requireUnchanged(signatures, step, name);
  const manifest: Manifest = {
    tool: readTool(),
    step,
    settings,
    inputs,
    outputs: await fingerprintAll(outputs, name, fingerprints),
    counts,
    warnings,
    ...(grounds === undefined ? {} : { grounds }),
  };
  await writeRunState(main, "made");
  await writeManifest(manifestPathOf(main), manifest);
  await finish();
  return { step, part, status: "ran", outputs, counts, warnings };
}

/** Identifies a file's version by its metadata in the file system. */
async function readSignatures(paths: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const signatures = new Map<string, string>();
  for (const path of paths) {
    const { size, mtimeNs, ino } = await stat(path, { bigint: true });
    signatures.set(path, `${size} ${mtimeNs} ${ino}`);
  }
  return signatures;
}

/** A body that read some inputs before they were replaced, and some after, has mixed two studies. */
async function requireUnchanged(
  before: ReadonlyMap<string, string>,
  step: StepName,
  name: (path: string) => string,
): Promise<void> {
  const after = await readSignatures([...before.keys()]);
  const changed = [...before.keys()].filter((path) => before.get(path) !== after.get(path));
  if (changed.length === 0) return;
  throw new SepError(
    "stale-input",
    `${changed.map(name).join(", ")} changed while \`sep ${step}\` was reading. Run \`sep ${step}\` again when nothing else writes there.`,
  );
}

/** This package's name and version, as its package.json has them. */
export function readTool(): { readonly name: string; readonly version: string } {
  const { name, version } = JSON.parse(
    readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
  ) as { name: string; version: string };
  return { name, version };
}
