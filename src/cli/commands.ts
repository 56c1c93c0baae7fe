import type { Command } from "./command.ts";
import { CLUSTERS } from "./commands/clusters.ts";
import { DATASET } from "./commands/dataset.ts";
import { DOCTOR } from "./commands/doctor.ts";
import { EDIT } from "./commands/edit.ts";
import { ENTROPY } from "./commands/entropy.ts";
import { EVAL } from "./commands/eval.ts";
import { EXPORT_DATASETS } from "./commands/export-datasets.ts";
import { EXPORT_STATES } from "./commands/export-states.ts";
import { EXPORT_TABLE } from "./commands/export-table.ts";
import { GENERATE } from "./commands/generate.ts";
import { IMPORT } from "./commands/import.ts";
import { MERGE } from "./commands/merge.ts";
import { MODELS_INFO } from "./commands/models-info.ts";
import { MODELS_LIST } from "./commands/models-list.ts";
import { MODELS_PULL } from "./commands/models-pull.ts";
import { NOTEBOOK_APP } from "./commands/notebook-app.ts";
import { NOTEBOOK_CHECK } from "./commands/notebook-check.ts";
import { NOTEBOOK_EXPORT } from "./commands/notebook-export.ts";
import { NOTEBOOK_RUN } from "./commands/notebook-run.ts";
import { PREPARE } from "./commands/prepare.ts";
import { PROBE_EXPORT } from "./commands/probe-export.ts";
import { PROBE_INFO } from "./commands/probe-info.ts";
import { REPORT } from "./commands/report.ts";
import { RUN } from "./commands/run.ts";
import { SCORE } from "./commands/score.ts";
import { STATUS } from "./commands/status.ts";
import { TRACE } from "./commands/trace.ts";
import { TRAIN } from "./commands/train.ts";
import { TRANSFER } from "./commands/transfer.ts";
import { VLLM_COMMAND } from "./commands/vllm-command.ts";

/** Every command, in the order that help lists them. */
export const COMMANDS: readonly Command[] = [
  RUN,
  PREPARE,
  GENERATE,
  ENTROPY,
  TRACE,
  STATUS,
  MERGE,
  DATASET,
  TRAIN,
  EVAL,
  TRANSFER,
  REPORT,
  SCORE,
  PROBE_INFO,
  PROBE_EXPORT,
  IMPORT,
  EXPORT_TABLE,
  EXPORT_STATES,
  EXPORT_DATASETS,
  CLUSTERS,
  EDIT,
  NOTEBOOK_RUN,
  NOTEBOOK_APP,
  NOTEBOOK_EXPORT,
  NOTEBOOK_CHECK,
  MODELS_LIST,
  MODELS_INFO,
  MODELS_PULL,
  VLLM_COMMAND,
  DOCTOR,
];
