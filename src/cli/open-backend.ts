import type { Backend, OpenBackend } from "../backends/backend.ts";
import { isBackendFile, loadBackend } from "../backends/load-backend.ts";
import { openLocal } from "../backends/local/local-backend.ts";
import { openVllm } from "../backends/vllm/open-vllm.ts";
import type { OpeningEvent } from "../checkpoint/opening-event.ts";
import type { LayerName } from "../engine/resolve-layers.ts";
import type { Workspace } from "../study/workspace.ts";
import type { CliContext } from "./command.ts";
import { readModelChoices } from "./model-values.ts";
import type { OptionValues } from "./option-spec.ts";
import type { MODEL_OPTIONS } from "./step-options.ts";
import { readLocalDtype, readVllmChoice, type VllmValues } from "./vllm-options.ts";

type Values = VllmValues &
  OptionValues<Pick<typeof MODEL_OPTIONS, "model" | "device" | "threads" | "memory">> & {
    readonly layers?: "all" | readonly LayerName[];
  };

/** Opens what `--backend` names: the local engine, vLLM, or a file of the user's. */
export async function* openBackend(
  values: Values,
  { root }: Workspace,
  { signal, env }: CliContext,
): AsyncGenerator<OpeningEvent, Backend> {
  const hub = { env };
  const { model, layers = "all" } = values;
  const own = await readOwnBackend(values);
  if (own !== undefined) return yield* own(model, { root, layers, hub, signal });
  const vllm = readVllmChoice(values);
  if (vllm !== null) return yield* openVllm(model, vllm, { root, layers, hub, signal });
  const choices = readModelChoices({ ...values, dtype: readLocalDtype(values.dtype) });
  return yield* openLocal(model, { ...choices, hub, signal });
}

/** The user's own backend, where `--backend` names one. */
export const readOwnBackend = async ({
  backend,
}: {
  readonly backend: string;
}): Promise<OpenBackend | undefined> => (isBackendFile(backend) ? loadBackend(backend) : undefined);
