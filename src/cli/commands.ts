import type { Command } from "./command.ts";
import { CLUSTERS } from "./commands/clusters.ts";
import { COMPARE } from "./commands/compare.ts";
import { createCompletion } from "./commands/completion.ts";
import { DOCTOR } from "./commands/doctor.ts";
import { ENTROPY } from "./commands/entropy.ts";
import { EXPORT_DATASETS, EXPORT_STATES, EXPORT_TABLE, IMPORT } from "./commands/exchange.ts";
import { EXIT } from "./commands/exit.ts";
import { GENERATE } from "./commands/generate.ts";
import { LABEL } from "./commands/label.ts";
import { MODELS_INFO, MODELS_LIST, MODELS_PULL } from "./commands/models.ts";
import { EDIT, NOTEBOOK_APP, NOTEBOOK_CHECK, NOTEBOOK_EXPORT, NOTEBOOK_RUN } from "./commands/notebook.ts";
import { PAGE } from "./commands/page.ts";
import { PROBE_EXPORT, PROBE_INFO } from "./commands/probe.ts";
import { ROUTE } from "./commands/route.ts";
import { RUN } from "./commands/run.ts";
import { SCORE } from "./commands/score.ts";
import { SERVE } from "./commands/serve.ts";
import { STATUS } from "./commands/status.ts";
import { DATASET, EVAL, MERGE, PREPARE, REPORT, TRAIN } from "./commands/steps.ts";
import { TRACE } from "./commands/trace.ts";
import { TRANSFER } from "./commands/transfer.ts";
import { VERSION } from "./commands/version.ts";
import { VLLM_COMMAND } from "./commands/vllm-command.ts";

/** What the words of a command line begin with. */
export interface FoundCommand {
  /** null if there is no such command. */
  readonly command: Command | null;
  /** The words that name it, or should. */
  readonly name: string;
  /** The words after those. */
  readonly rest: readonly string[];
  /** The two-word commands that begin with the first word, if the second word matches none of them. */
  readonly group: readonly Command[];
}

/** Finds a command by its first word, or its first two: `run`, `models pull`. */
export function findCommand(commands: readonly Command[], words: readonly string[]): FoundCommand {
  const [first = "", second] = words;
  const group = commands.filter(({ name }) => name.startsWith(`${first} `));
  const name =
    group.length > 0 && second !== undefined && !second.startsWith("-") ? `${first} ${second}` : first;
  const command = commands.find((each) => each.name === name) ?? null;
  return {
    command,
    name,
    rest: words.slice(name.split(" ").length),
    group: command === null ? group : [],
  };
}

/** Commands under one heading of the help. */
export interface CommandGroup {
  readonly title: string;
  readonly commands: readonly Command[];
}

const COMPLETION = createCompletion(() => COMMANDS);

/** Every command, in the order that help lists them. */
export const COMMAND_GROUPS: readonly CommandGroup[] = [
  { title: "A whole study", commands: [RUN, STATUS, REPORT] },
  { title: "Its steps", commands: [PREPARE, GENERATE, ENTROPY, TRACE, LABEL, DATASET, TRAIN, EVAL, MERGE] },
  { title: "Use of its probes", commands: [SCORE, SERVE, PAGE, ROUTE, EXIT, PROBE_INFO, PROBE_EXPORT] },
  { title: "Comparison", commands: [COMPARE, TRANSFER, CLUSTERS] },
  { title: "Exchange", commands: [IMPORT, EXPORT_TABLE, EXPORT_STATES, EXPORT_DATASETS] },
  { title: "Notebooks", commands: [EDIT, NOTEBOOK_RUN, NOTEBOOK_APP, NOTEBOOK_EXPORT, NOTEBOOK_CHECK] },
  { title: "Models", commands: [MODELS_LIST, MODELS_INFO, MODELS_PULL, VLLM_COMMAND] },
  { title: "This installation", commands: [DOCTOR, COMPLETION, VERSION] },
];

export const COMMANDS: readonly Command[] = COMMAND_GROUPS.flatMap(({ commands }) => commands);
