import type { Command } from "./command.ts";
import { CLUSTERS } from "./commands/clusters.ts";
import { DATASET } from "./commands/dataset.ts";
import { DOCTOR } from "./commands/doctor.ts";
import { ENTROPY } from "./commands/entropy.ts";
import { EVAL } from "./commands/eval.ts";
import { GENERATE } from "./commands/generate.ts";
import { MODELS_INFO } from "./commands/models-info.ts";
import { MODELS_LIST } from "./commands/models-list.ts";
import { MODELS_PULL } from "./commands/models-pull.ts";
import { PREPARE } from "./commands/prepare.ts";
import { RUN } from "./commands/run.ts";
import { TRACE } from "./commands/trace.ts";
import { TRAIN } from "./commands/train.ts";

/** Every command, in the order that help lists them. */
export const COMMANDS: readonly Command[] = [
  RUN,
  PREPARE,
  GENERATE,
  ENTROPY,
  TRACE,
  DATASET,
  TRAIN,
  EVAL,
  CLUSTERS,
  MODELS_LIST,
  MODELS_INFO,
  MODELS_PULL,
  DOCTOR,
];
