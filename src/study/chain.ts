import { readdir, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { SepError } from "../errors.ts";
import { fingerprintFile } from "../store/fingerprint.ts";
import { type Manifest, readManifest } from "../store/manifest.ts";
import { MANIFEST_SUFFIX, readRunState } from "../store/output-ownership.ts";
import { fileExists } from "../store/read-file.ts";
import { listShortly } from "../text/shorten.ts";
import { weightsPathOf } from "./probe-files.ts";
import { PROBE_SPLITS, SPLIT_SOURCES, STEP_NAMES, type Workspace } from "./workspace.ts";

/**
 * How a file relates to what its step read when it made it.
 * - `current`: all its inputs are as they were read, and are current themselves.
 * - `stale`: an input has changed since, or is not current itself.
 * - `edited`: the file is not what its step wrote.
 * - `unfinished`: its step was stopped or is still running, and has already replaced it.
 * - `given`: no step made it, or it is an edited question file, which users may change.
 * - `missing`: there is no such file.
 */
type FileState = "current" | "stale" | "edited" | "unfinished" | "given" | "missing";

/** A file of a study with all that it was made from. */
export interface ChainFile {
  readonly path: string;
  /** Relative to the study's folder if a manifest names it, else the path. */
  readonly name: string;
  readonly state: FileState;
  /** Why it is not current; empty if it is. */
  readonly reasons: readonly string[];
  /** The step that made it, and when its manifest was written; null for a file that is given or missing. */
  readonly maker: { readonly step: string; readonly manifestPath: string; readonly madeAt: Date } | null;
  /** What it was made from, according to its manifest. */
  readonly inputs: readonly { readonly fingerprint: string; readonly file: ChainFile }[];
}

/** Reads where files come from. Each file is hashed once per instance, so an instance serves one step or one inspection. */
export interface Chain {
  /** As {@link fingerprintFile}, of a file that exists. */
  fingerprint(path: string): Promise<string>;
  inspect(path: string): Promise<ChainFile>;
}

/**
 * Reads the chain of files behind a file from the manifests beside them. A manifest names files relative to its
 * study's folder, which follows from its name for its own main output, so chains may cross studies and shards.
 */
export function openChain(): Chain {
  const hashes = new Map<string, Promise<string>>();
  const files = new Map<string, Promise<ChainFile>>();
  const makers = new Map<string, Promise<readonly Maker[]>>();
  const fingerprint = (path: string): Promise<string> => once(hashes, path, () => fingerprintFile(path));
  const inspect = (path: string, above: readonly string[] = []): Promise<ChainFile> =>
    once(files, resolve(path), () => look(resolve(path), above));

  async function look(path: string, above: readonly string[]): Promise<ChainFile> {
    const folder = dirname(path);
    const candidates = (await once(makers, folder, () => readMakers(folder))).filter(({ outputs }) =>
      outputs.has(path),
    );
    const exists = await fileExists(path);
    const hash = exists ? await fingerprint(path) : null;
    const maker = candidates.find(({ outputs }) => outputs.get(path) === hash) ?? candidates[0];
    const name = maker === undefined ? path : nameOf(maker, path);
    if (hash === null)
      return { path, name, state: "missing", reasons: ["it is gone"], maker: null, inputs: [] };
    if (maker === undefined) {
      const killed = (await readRunState(path)) !== null;
      const reasons = killed ? ["the step that makes it was stopped or is still running"] : [];
      return { path, name, state: killed ? "unfinished" : "given", reasons, maker: null, inputs: [] };
    }
    const { manifest, manifestPath, madeAt } = maker;
    const own = { path, name, maker: { step: manifest.step, manifestPath, madeAt } };
    if (maker.outputs.get(path) !== hash) {
      const running = await readRunState(maker.main);
      if (running !== null) {
        const reasons = [`\`sep ${manifest.step}\`, which was stopped or is still running, has replaced it`];
        return { ...own, state: "unfinished", reasons, inputs: [] };
      }
      // users may edit question files; what was made from earlier questions is then stale
      if (manifest.step === "prepare") return { ...own, state: "given", reasons: [], inputs: [] };
      const reasons = [`it was edited since \`sep ${manifest.step}\` made it`];
      return { ...own, state: "edited", reasons, inputs: [] };
    }
    const inputs: { fingerprint: string; file: ChainFile }[] = [];
    const reasons: string[] = [];
    for (const [input, asRead] of Object.entries(manifest.inputs)) {
      const inputPath = resolve(maker.root, input);
      if (above.includes(inputPath)) continue; // a manifest that names its own descendants proves nothing
      const file = await inspect(inputPath, [...above, path]);
      inputs.push({ fingerprint: asRead, file });
      if (file.state === "missing") continue;
      if ((await fingerprint(inputPath)) !== asRead)
        reasons.push(`${input} has changed since \`sep ${manifest.step}\` read it`);
      else if (!isCurrent(file)) reasons.push(`${input} is ${file.state}`);
    }
    return { ...own, state: reasons.length === 0 ? "current" : "stale", reasons, inputs };
  }

  return { fingerprint, inspect: (path) => inspect(path) };
}

/** Whether a step may read a file. */
export const isCurrent = ({ state }: ChainFile): boolean => state === "current" || state === "given";

/**
 * Checks files against what they were made from, along the whole chain, before anything is made from them.
 * @param reader the step or command that is about to read them
 * @throws SepError `stale-input` that names the steps to run again
 */
export async function requireCurrent(
  paths: readonly string[],
  reader: string,
  chain: Chain = openChain(),
): Promise<void> {
  const files: ChainFile[] = [];
  for (const path of paths) files.push(await chain.inspect(path));
  const all = listChain(files);
  const conflict = findConflict(all);
  const stale = all.filter((file) => file.state !== "missing" && !isCurrent(file));
  if (stale.length === 0 && conflict === null) return;
  const what = describeCauses(stale, conflict);
  throw new SepError(
    "stale-input",
    `\`sep ${reader}\` was about to read files that do not belong together: ${what}. ${describeRemedy(stale, conflict)}`,
  );
}

/** Files and all that they were made from, each once and after its own inputs. */
export function listChain(files: readonly ChainFile[]): ChainFile[] {
  const listed = new Set<ChainFile>();
  const add = (file: ChainFile): void => {
    if (listed.has(file)) return;
    for (const input of file.inputs) add(input.file);
    listed.add(file);
  };
  for (const file of files) add(file);
  return [...listed];
}

interface Conflict {
  readonly name: string;
  readonly readers: readonly ChainFile[];
}

/** A file that no longer exists must still have been the same for everything made from it. */
function findConflict(files: readonly ChainFile[]): Conflict | null {
  const versions = new Map<string, Map<string, ChainFile>>();
  for (const reader of files) {
    for (const { fingerprint, file } of reader.inputs.filter((input) => input.file.state === "missing")) {
      const seen = versions.get(file.path) ?? new Map<string, ChainFile>();
      seen.set(fingerprint, seen.get(fingerprint) ?? reader);
      versions.set(file.path, seen);
      if (seen.size > 1) return { name: file.name, readers: [...seen.values()] };
    }
  }
  return null;
}

/** Only the files whose own inputs or bytes are wrong; that others follow from them need not be said. */
function describeCauses(stale: readonly ChainFile[], conflict: Conflict | null): string {
  const isCause = ({ state, inputs }: ChainFile): boolean =>
    state !== "stale" || inputs.every(({ file }) => file.state === "missing" || isCurrent(file));
  const causes = onePerStep(stale.filter(isCause)).map(
    ({ name, state, reasons }) => `${name} is ${state}: ${reasons.join(", ")}`,
  );
  if (conflict !== null) {
    const readers = conflict.readers.map(({ name }) => name).join(" and ");
    causes.push(`${readers} were made from different versions of ${conflict.name}, which no longer exists`);
  }
  return listShortly(causes, { most: MOST_CAUSES, separator: "; " });
}

/** The outputs of a step are stale together. */
export function onePerStep(files: readonly ChainFile[]): ChainFile[] {
  const of = ({ maker, path }: ChainFile): string => maker?.manifestPath ?? path;
  return files.filter((file, i) => files.findIndex((other) => of(other) === of(file)) === i);
}

const MOST_CAUSES = 4;
const STEP_ORDER: readonly string[] = STEP_NAMES;

function describeRemedy(stale: readonly ChainFile[], conflict: Conflict | null): string {
  const makers = [...stale, ...(conflict?.readers ?? [])].flatMap(({ maker }) => maker ?? []);
  const steps = [...new Set(makers.map(({ step }) => step))].sort(
    (a, b) => STEP_ORDER.indexOf(a) - STEP_ORDER.indexOf(b),
  );
  const edited = stale.find(({ state }) => state === "edited");
  const keep =
    edited?.maker == null
      ? ""
      : ` To use ${edited.name} as it is, as a file of your own, delete ${edited.maker.manifestPath}.`;
  const again = steps.length === 0 ? "Run the step that makes it" : `Run ${joinSteps(steps)} again`;
  return `${again}, or \`sep run\`, which makes everything again that is stale.${keep} \`sep status\` shows the whole chain.`;
}

function joinSteps(steps: readonly string[]): string {
  const names = steps.map((step) => `\`sep ${step}\``);
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and then ${names.at(-1)}`;
}

/** A manifest with its paths made absolute. */
interface Maker {
  readonly manifest: Manifest;
  readonly manifestPath: string;
  readonly madeAt: Date;
  /** The folder that its names are relative to. */
  readonly root: string;
  readonly main: string;
  readonly outputs: ReadonlyMap<string, string>;
}

async function readMakers(folder: string): Promise<readonly Maker[]> {
  const names = (await fileExists(folder)) ? await readdir(folder) : [];
  const makers: Maker[] = [];
  for (const name of names.filter((each) => each.endsWith(MANIFEST_SUFFIX)).sort()) {
    const manifestPath = join(folder, name);
    const manifest = await readManifest(manifestPath);
    if (manifest === null) continue;
    const main = manifestPath.slice(0, -MANIFEST_SUFFIX.length);
    const own = Object.keys(manifest.outputs).find((output) =>
      main.replaceAll("\\", "/").endsWith(`/${output}`),
    );
    const root = own === undefined ? folder : main.slice(0, -own.length);
    const outputs = new Map(
      Object.entries(manifest.outputs).map(([output, asWritten]) => [resolve(root, output), asWritten]),
    );
    makers.push({ manifest, manifestPath, madeAt: (await stat(manifestPath)).mtime, root, main, outputs });
  }
  return makers;
}

const nameOf = ({ manifest, root }: Maker, path: string): string =>
  Object.keys(manifest.outputs).find((output) => resolve(root, output) === path) ?? path;

function once<Value>(
  known: Map<string, Promise<Value>>,
  key: string,
  make: () => Promise<Value>,
): Promise<Value> {
  const value = known.get(key) ?? make();
  known.set(key, value);
  return value;
}

/**
 * Every existing file of a study, in the order of the steps, with where it comes from and whether it still
 * follows from that.
 */
export async function inspectStudy(workspace: Workspace): Promise<readonly ChainFile[]> {
  const probes = [workspace.accuracyProbe, workspace.seProbe, workspace.entropyBaseline];
  const perSet = [
    workspace.raw,
    workspace.runs,
    workspace.bestRuns,
    workspace.semanticEntropy,
    workspace.pairVerdicts,
    workspace.hiddenStates,
    workspace.hiddenStatesIndex,
  ];
  const paths = [
    ...SPLIT_SOURCES.flatMap((set) => perSet.map((pathOf) => pathOf(set))),
    ...PROBE_SPLITS.map((split) => workspace.probeDataset(split)),
    ...probes.flatMap((probe) => [probe, weightsPathOf(probe)]),
    ...[workspace.seThreshold, workspace.probeEval, workspace.transfer, workspace.route, workspace.report],
    ...[workspace.forcedAnswers("math"), workspace.exit, workspace.seeds],
  ];
  const chain = openChain();
  const files: ChainFile[] = [];
  for (const path of paths) if (await fileExists(path)) files.push(await chain.inspect(path));
  return files;
}
