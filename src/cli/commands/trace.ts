import { openLocalBackend } from "../../pipeline/open-local-backend.ts";
import { openVllmStates } from "../../pipeline/open-vllm.ts";
import { traceRuns } from "../../pipeline/trace-runs.ts";
import type { Workspace } from "../../pipeline/workspace.ts";
import { TRACE_POSITIONS } from "../../tracing/positions.ts";
import { type CliContext, type Command, defineCommand } from "../command.ts";
import { readModelChoices } from "../model-values.ts";
import type { OptionValues } from "../option-spec.ts";
import { eachSet, runStepCommand, type Steps } from "../run-steps.ts";
import { MODEL_OPTIONS, OUTPUT_OPTIONS, SET_OPTION, TRACE_OPTIONS } from "../step-options.ts";
import {
  BACKEND_OPTIONS,
  readLocalDtype,
  readVllmChoice,
  SERVE_OPTIONS,
  VLLM_OPTIONS,
  VLLM_STATE_OPTIONS,
} from "../vllm-options.ts";

const OPTIONS = {
  ...MODEL_OPTIONS,
  ...BACKEND_OPTIONS,
  ...VLLM_OPTIONS,
  ...VLLM_STATE_OPTIONS,
  ...SERVE_OPTIONS,
  ...TRACE_OPTIONS,
  ...SET_OPTION,
  ...OUTPUT_OPTIONS,
};

/** Step 4: hidden states. */
export const TRACE: Command = defineCommand({
  name: "trace",
  summary: "step 4: read hidden states, artifacts/{math,ood}_hidden_states.safetensors",
  options: OPTIONS,
  examples: [
    { line: "sep trace", meaning: "every layer at every position" },
    {
      line: "sep trace --model ./Qwen3-0.6B --positions think-end,last-token --layers 14,20,28",
      meaning: "two positions and three layers of a checkpoint on disk",
    },
    {
      line: "sep trace --backend vllm --model Qwen/Qwen3-8B --layers 0,18,36 --vllm-url http://localhost:8000",
      meaning: "from a server that `sep vllm-command` with the same layers started",
    },
  ],
  run(values, context) {
    return runStepCommand(values, context, (workspace) => traceSets(workspace, values, context));
  },
});

async function* traceSets(
  workspace: Workspace,
  values: OptionValues<typeof OPTIONS>,
  { signal, env }: CliContext,
): Steps {
  const { positions, layers, force } = values;
  const vllm = readVllmChoice(values);
  await using opened =
    vllm === null
      ? yield* openLocalBackend(values.model, {
          ...readModelChoices({ ...values, dtype: readLocalDtype(values.dtype) }),
          hub: { env },
          signal,
        })
      : yield* openVllmStates(values.model, layers, vllm, { root: workspace.root, hub: { env }, signal });
  return yield* eachSet("trace", values.set, workspace.runs, (set) =>
    traceRuns(workspace, set, {
      model: opened.backend,
      positions: positions === "all" ? TRACE_POSITIONS : positions,
      layers,
      signal,
      force,
    }),
  );
}
