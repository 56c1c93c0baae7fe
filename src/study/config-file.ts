import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { cpus } from "node:os";
import type { Document } from "yaml";
import { SepError } from "../errors.ts";
import { acquireLock } from "../store/lock.ts";
import { readIfThere } from "../store/read-file.ts";
import { removeLeftovers, writeAtomic } from "../store/write-atomic.ts";
import { findSecrets } from "../text/find-secrets.ts";
import { createRedactor, redactStrings } from "../text/redact.ts";
import { showShortly } from "../text/shorten.ts";
import { suggestName } from "../text/suggest-name.ts";
import { describeExpected, describeSetting, type Settings, toFlag } from "./settings/setting.ts";
import { STUDY, type StudySettings } from "./settings/study.ts";
import { readTool } from "./step.ts";
import type { Workspace } from "./workspace.ts";

/** Key under which a written file records its provenance; readers ignore it. */
const PROVENANCE = "provenance";

/**
 * Settings of a file for `--config`: YAML or JSON, each under the name of its option, `max-new-tokens: 512`. A setting of
 * `sep run` that the step does not have, or that has another meaning there, is left out, so that one file serves all steps of a
 * study; null is a setting that is not given.
 * @param settings those of the step that reads the file
 * @throws SepError `bad-option` with the file, the name, the value and what is expected; `missing-input`
 */
export async function readConfig<S extends Settings>(
  path: string,
  settings: S,
): Promise<Readonly<Record<string, unknown>>> {
  const text = await readIfThere(path);
  if (text === null)
    throw new SepError("missing-input", `There is no ${path}. Give --config a YAML or JSON file.`);
  const { isMap, isScalar, parseDocument } = await import("yaml");
  const document = parseDocument(text);
  const [error] = document.errors;
  if (error !== undefined) throw new SepError("bad-option", `${path} is not YAML: ${firstLineOf(error)}.`);
  if (document.contents !== null && !isMap(document.contents))
    throw new SepError("bad-option", `${path} contains no settings, expected lines such as "runs: 10".`);
  const own = Object.keys(settings).filter((name) => settings[name]?.meta()?.inFile !== false);
  const nameOf = new Map([...Object.keys(STUDY), ...own].map((name) => [toFlag(name), name]));
  const content = toValues(path, document);
  const values: Record<string, unknown> = {};
  for (const { key } of document.contents?.items ?? []) {
    const flag = String(isScalar(key) ? key.value : key);
    if (flag === PROVENANCE) continue;
    const name = nameOf.get(flag);
    if (name === undefined) throw unknownKey(path, flag, [...nameOf.keys()]);
    const value = content[flag];
    if (value === null) continue;
    const schema = own.includes(name) ? settings[name] : undefined;
    const ofStudy = (STUDY as Settings)[name];
    if (schema?.safeParse(value).success) values[name] = value;
    else if (!ofStudy?.safeParse(value).success)
      throw new SepError(
        "bad-option",
        `${path}: ${flag} is ${typeof value === "number" ? value : showShortly(value)}, expected ${describeExpected((schema ?? ofStudy)!, "value")}.`,
      );
  }
  return values;
}

/** @throws SepError `bad-option` for aliases that are undefined or expand too often */
function toValues(path: string, document: Document.Parsed): Readonly<Record<string, unknown>> {
  try {
    return document.toJS() as Readonly<Record<string, unknown>>;
  } catch (cause) {
    throw new SepError("bad-option", `${path} cannot be read as settings: ${firstLineOf(cause)}.`, { cause });
  }
}

/** The parser shows the place in the lines below. */
const firstLineOf = (error: unknown): string =>
  ((error as Error).message.split("\n")[0] as string).replace(/[.:]$/, "");

function unknownKey(path: string, key: string, flags: readonly string[]): SepError {
  const suggestion = suggestName(toFlag(key), flags);
  const guess = suggestion === null ? "" : ` Did you mean ${suggestion}?`;
  return new SepError(
    "bad-option",
    `${path}: there is no setting ${key}.${guess} docs/cli/run.md lists them.`,
  );
}

interface WriteConfigOptions {
  readonly command?: readonly string[] | undefined;
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
}

/**
 * Writes all settings of a run, defaults included, as a file that `--config` reads, with its provenance. No step reads
 * it and no manifest names it, so it makes nothing stale.
 */
export async function writeConfig(
  workspace: Workspace,
  settings: StudySettings,
  { command = [], env = process.env }: WriteConfigOptions = {},
): Promise<void> {
  const { name, version } = readTool();
  const { message } = createRedactor(findSecrets(env, command));
  const { Document } = await import("yaml");
  const document = new Document({});
  for (const [setting, value = null] of Object.entries(redactStrings({ ...settings }, message))) {
    const { flag, fallback } = describeSetting(setting, STUDY[setting as keyof StudySettings]);
    const node = document.createNode(value);
    if (value === null && fallback !== undefined) node.comment = ` ${fallback}`;
    document.set(flag, node);
  }
  const provenance = {
    command: command.length === 0 ? null : command.join(" "),
    date: new Date().toISOString(),
    [name]: version,
    node: process.versions.node,
    "onnxruntime-node": readRuntimeVersion(),
    cpu: cpus()[0]?.model ?? "unknown",
    threads: cpus().length,
  };
  document.set(PROVENANCE, redactStrings(provenance, message));
  await using _lock = await acquireLock(`${workspace.config}.lock`);
  await removeLeftovers(workspace.config);
  await writeAtomic(workspace.config, HEAD + document.toString({ lineWidth: 0 }));
}

const HEAD = `# All settings of the last \`sep run\` in this folder. null is a setting that was not given; the comment says what applies then.
# Use them with \`sep run --config FILE\`; options on the command line take precedence.
`;

function readRuntimeVersion(): string {
  const require = createRequire(import.meta.url);
  const path = require.resolve("onnxruntime-node/package.json");
  return (JSON.parse(readFileSync(path, "utf8")) as { readonly version: string }).version;
}
