import { type CheckpointDescription, describeCheckpoint } from "../../checkpoint/describe-checkpoint.ts";
import { findCachedModel } from "../../checkpoint/hub/find-cached-model.ts";
import { readHubSettings } from "../../checkpoint/hub/hub.ts";
import { parseHubModelId } from "../../checkpoint/hub/hub-model-id.ts";
import { type CachedCommit, listCachedModels } from "../../checkpoint/hub/list-cached-models.ts";
import {
  type CheckpointLocation,
  isGgufPath,
  locateLocally,
  pullModel,
  unknownReference,
} from "../../checkpoint/locate-checkpoint.ts";
import { reportPull } from "../../checkpoint/opening-event.ts";
import type { DecoderConfig } from "../../engine/graph/decoder-config.ts";
import { SepError } from "../../errors.ts";
import { operand } from "../../study/settings/setting.ts";
import { formatBytes } from "../../text/format-numbers.ts";
import { printableLine } from "../../text/shorten.ts";
import { type CliContext, type Command, defineCommand } from "../command.ts";
import { OUTPUT } from "../common-settings.ts";
import { EXIT } from "../exit.ts";
import { renderProgress } from "../render-progress.ts";
import { lookOf, setMessage, wrap } from "../terminal.ts";

/** A model of the cache, and whether the local engine can run it. */
interface ListedModel extends CachedCommit {
  readonly modelType: string | null;
  /** Why not; null if it can. */
  readonly obstacle: string | null;
}

/** What is in the Hugging Face cache. */
export const MODELS_LIST: Command = defineCommand({
  name: "models list",
  summary: "list the models in the Hugging Face cache, and which of them the engine can run",
  options: { json: OUTPUT.json },
  examples: [
    { line: "sep models list", meaning: "everything that Python or this program downloaded" },
    { line: "sep models list --json", meaning: "the same for a script" },
  ],
  async run(values, context) {
    const settings = readHubSettings(context.env);
    const models: ListedModel[] = [];
    for (const cached of await listCachedModels(settings)) {
      const { modelType, obstacle } = await describeCheckpoint(cached.folder);
      models.push({ ...cached, modelType, obstacle });
    }
    const cache = { path: settings.cacheFolder, reason: settings.cacheReason };
    if (values.json) context.stdout.write(`${JSON.stringify({ kind: "models", cache, models })}\n`);
    else printModels(models, cache, context);
    return EXIT.ok;
  },
});

function printModels(
  models: readonly ListedModel[],
  { path, reason }: { readonly path: string; readonly reason: string },
  context: CliContext,
): void {
  const { stdout } = context;
  const { paint, columns } = lookOf(stdout, context);
  if (models.length === 0) {
    const text = `No models in ${path} (${reason}). \`sep models pull org/name\` downloads one.`;
    stdout.write(`${setMessage(text, stdout)}\n`);
    return;
  }
  const rows = models.map(({ repo, commit, revisions, sizeBytes, modelType }) => [
    repo,
    revisions.length === 0 ? commit.slice(0, 7) : `${revisions.join(",")} ${commit.slice(0, 7)}`,
    formatBytes(sizeBytes),
    printableLine(modelType ?? "unknown", MAX_NAME),
  ]);
  const titles = ["model", "revision", "size", "type", "engine"];
  const widths = titles.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ");
  stdout.write(`${paint("gray", line(titles).trimEnd())}\n`);
  for (const [index, { obstacle }] of models.entries()) {
    const verdict =
      obstacle === null
        ? paint("green", "runs")
        : `${paint("yellow", "no")}: ${printableLine(obstacle, MAX_OBSTACLE)}`;
    const cells = line(rows[index] ?? []);
    const reason = obstacle === null ? "" : printableLine(obstacle, MAX_OBSTACLE);
    const fits = cells.length + 2 + "no: ".length + reason.length <= columns;
    // a reason that does not fit stands below its model
    stdout.write(`${cells}  ${reason === "" || fits ? verdict : paint("yellow", "no")}\n`);
    for (const text of fits || reason === "" ? [] : wrap(reason, columns - 4)) stdout.write(`    ${text}\n`);
  }
  const total = models.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  stdout.write(`\n${formatBytes(total)} in ${path} (${reason})\n`);
}

const MAX_NAME = 30;
const MAX_OBSTACLE = 120;

/** The engine computes in float32. */
const BYTES_PER_NUMBER = 4;
const KV_TOKENS = 1000;

/** What a model on this machine is. */
export const MODELS_INFO: Command = defineCommand({
  name: "models info",
  summary: "show a model's sizes, files, license and memory",
  options: {
    model: operand("MODEL", "pocket, a checkpoint's folder, a .gguf file, or a cached org/name[@revision]."),
    json: OUTPUT.json,
  },
  examples: [
    { line: "sep models info pocket", meaning: "the embedded model" },
    { line: "sep models info Qwen/Qwen3-0.6B --json", meaning: "a model in the cache, for a script" },
  ],
  async run(values, context) {
    const location = await locate(values.model, context.env);
    const description = await describeCheckpoint(location.path);
    const memory = estimateMemory(description);
    if (values.json) {
      const info = { kind: "model", model: values.model, ...location, ...description, memory };
      context.stdout.write(`${JSON.stringify(info)}\n`);
    } else {
      print(values.model, location, description, memory, context);
    }
    return EXIT.ok;
  },
});

/** Finds a model without asking the hub. */
async function locate(reference: string, env: CliContext["env"]): Promise<CheckpointLocation> {
  const local = await locateLocally(reference);
  if (local !== null) return local;
  const id = parseHubModelId(reference);
  if (id === null) throw unknownReference(reference);
  const settings = readHubSettings(env);
  const cached = await findCachedModel(settings, id);
  if (cached !== null) return { path: cached.folder, commit: cached.commit };
  throw new SepError(
    "model-not-cached",
    `${reference} is not in ${settings.cacheFolder}. \`sep models pull ${reference}\` downloads it.`,
  );
}

interface MemoryEstimate {
  /** Weights in float32. */
  readonly weightsBytes: number;
  /** Keys and values of 1000 tokens of one sequence. */
  readonly kvBytesPer1000Tokens: number;
}

function estimateMemory({ parameters, config }: CheckpointDescription): MemoryEstimate | null {
  if (parameters === null || config === null) return null;
  const { blockCount, kvHeadCount, headSize } = config;
  return {
    weightsBytes: parameters * BYTES_PER_NUMBER,
    kvBytesPer1000Tokens: 2 * blockCount * kvHeadCount * headSize * BYTES_PER_NUMBER * KV_TOKENS,
  };
}

function print(
  reference: string,
  { path, commit }: CheckpointLocation,
  { modelType, obstacle, config, parameters, dtypes, files, license }: CheckpointDescription,
  memory: MemoryEstimate | null,
  { stdout }: CliContext,
): void {
  const types = Object.entries(dtypes).map(([dtype, count]) => `${formatCount(count)} as ${dtype}`);
  const rows: readonly (readonly [string, string | null])[] = [
    ["model", reference],
    ["commit", commit],
    [isGgufPath(path) ? "file" : "folder", path],
    ["type", printableLine(modelType ?? "unknown")],
    ["engine", obstacle === null ? "runs" : `no: ${printableLine(obstacle)}`],
    ...(config === null ? [] : describeSizes(config)),
    ["parameters", parameters === null ? null : `${formatCount(parameters)} (${types.join(", ")})`],
    ["licence", license === null ? null : printableLine(license)],
    [
      "memory",
      memory === null
        ? null
        : `about ${formatBytes(memory.weightsBytes)} for the weights, and ${formatBytes(memory.kvBytesPer1000Tokens)} for each 1000 tokens of a sequence`,
    ],
    ...files.map(({ name, sizeBytes }, index) => {
      return [index === 0 ? "files" : "", `${printableLine(name)} (${formatBytes(sizeBytes)})`] as const;
    }),
  ];
  for (const [name, value] of rows) {
    if (value !== null) stdout.write(`${name.padEnd(NAME_WIDTH)}${value}\n`);
  }
}

const describeSizes = (config: DecoderConfig): (readonly [string, string])[] => [
  ["blocks", String(config.blockCount)],
  ["width", String(config.hiddenSize)],
  ["heads", `${config.headCount} of ${config.headSize}, ${config.kvHeadCount} for keys and values`],
  ["vocabulary", `${config.vocabularySize} tokens`],
  ["context", `${config.maxPositions} tokens`],
];

function formatCount(count: number): string {
  const [factor, suffix] = count >= 1e9 ? [1e9, " B"] : count >= 1e6 ? [1e6, " M"] : [1, ""];
  return `${(count / factor).toFixed(factor === 1 ? 0 : 1)}${suffix}`;
}

const NAME_WIDTH = 12;

const { json, quiet } = OUTPUT;

/** Downloads a model into the Hugging Face cache. */
export const MODELS_PULL: Command = defineCommand({
  name: "models pull",
  summary: "download a model from the Hugging Face Hub into the cache",
  options: {
    model: operand("MODEL", "Model on the Hugging Face Hub: org/name or org/name@revision."),
    json,
    quiet,
  },
  examples: [
    { line: "sep models pull Qwen/Qwen3-0.6B", meaning: "the newest commit; resumes where it stopped" },
    {
      line: "sep models pull Qwen/Qwen3-0.6B@main --json",
      meaning: "one JSON line per event, with the result last",
    },
  ],
  async run(values, context) {
    const { model } = values;
    const pull = reportPull(model, pullModel(model, { hub: { env: context.env }, signal: context.signal }));
    const { path, commit } = await renderProgress(pull, values, context);
    if (values.json) context.stdout.write(`${JSON.stringify({ kind: "result", model, commit, path })}\n`);
    else if (!values.quiet) context.stdout.write(`${model} ${commit}\n${path}\n`);
    return EXIT.ok;
  },
});
