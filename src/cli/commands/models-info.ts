import { type CheckpointDescription, describeCheckpoint } from "../../checkpoint/describe-checkpoint.ts";
import { findCachedModel } from "../../checkpoint/hub/find-cached-model.ts";
import { parseHubModelId } from "../../checkpoint/hub/hub-model-id.ts";
import { readHubSettings } from "../../checkpoint/hub/hub-settings.ts";
import { printableLine } from "../../checkpoint/hub/printable-line.ts";
import {
  type CheckpointLocation,
  isGgufPath,
  locateLocally,
  unknownReference,
} from "../../checkpoint/locate-checkpoint.ts";
import type { DecoderConfig } from "../../engine/graph/decoder-config.ts";
import { SepError } from "../../errors.ts";
import { type CliContext, type Command, defineCommand } from "../command.ts";
import { EXIT } from "../exit.ts";
import { formatBytes } from "../format-bytes.ts";
import { operand } from "../option-spec.ts";
import { OUTPUT_OPTIONS } from "../step-options.ts";

/** The engine computes in float32. */
const BYTES_PER_NUMBER = 4;
const KV_TOKENS = 1000;

/** What a model on this machine is. */
export const MODELS_INFO: Command = defineCommand({
  name: "models info",
  summary: "sizes, files, license and memory of a model on this machine",
  options: {
    model: operand(
      "MODEL",
      "pocket, a checkpoint's directory, a .gguf file, or a cached org/name[@revision].",
    ),
    json: OUTPUT_OPTIONS.json,
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
    ["license", license === null ? null : printableLine(license)],
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
