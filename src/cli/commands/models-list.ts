import { describeCheckpoint } from "../../checkpoint/describe-checkpoint.ts";
import { readHubSettings } from "../../checkpoint/hub/hub.ts";
import { type CachedCommit, listCachedModels } from "../../checkpoint/hub/list-cached-models.ts";
import { printableLine } from "../../text/shorten.ts";
import { type CliContext, type Command, defineCommand } from "../command.ts";
import { EXIT } from "../exit.ts";
import { formatBytes } from "../format-bytes.ts";
import { createPaint } from "../paint.ts";
import { OUTPUT_OPTIONS } from "../step-options.ts";

/** A model of the cache, and whether the local engine can run it. */
interface ListedModel extends CachedCommit {
  readonly modelType: string | null;
  /** Why not; null if it can. */
  readonly obstacle: string | null;
}

/** What is in the Hugging Face cache. */
export const MODELS_LIST: Command = defineCommand({
  name: "models list",
  summary: "models in the Hugging Face cache, and which the engine can run",
  options: { json: OUTPUT_OPTIONS.json },
  examples: [
    { line: "sep models list", meaning: "whatever Python or this program downloaded" },
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
  { stdout, env }: CliContext,
): void {
  const paint = createPaint(stdout, env);
  if (models.length === 0) {
    stdout.write(`No models in ${path} (${reason}). \`sep models pull org/name\` downloads one.\n`);
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
    stdout.write(`${line(rows[index] ?? [])}  ${verdict}\n`);
  }
  const total = models.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  stdout.write(`\n${formatBytes(total)} in ${path} (${reason})\n`);
}

const MAX_NAME = 30;
const MAX_OBSTACLE = 120;
