import { openProfile, plainName, servedModelOf } from "../../backends/vllm/open-vllm.ts";
import { buildServeArguments, quoteForShell, type ServePurpose } from "../../backends/vllm/serve-command.ts";
import { resolveLayers } from "../../engine/resolve-layers.ts";
import { type Command, defineCommand } from "../command.ts";
import { EXIT } from "../exit.ts";
import { choice, number, text } from "../option-spec.ts";
import { renderProgress } from "../render-progress.ts";
import { MODEL_OPTIONS, TRACE_OPTIONS } from "../step-options.ts";
import { BACKEND_OPTIONS, readServeOptions, SERVE_OPTIONS } from "../vllm-options.ts";

/** Prints how to start a vLLM server. */
export const VLLM_COMMAND: Command = defineCommand({
  name: "vllm-command",
  summary: "print the command that starts a vLLM server for sep generate or sep trace",
  options: {
    model: MODEL_OPTIONS.model,
    purpose: choice(
      ["states", "answers", "pooling"],
      "states",
      "For sep trace; for sep generate; for sep trace --vllm-states pooling.",
    ),
    layers: TRACE_OPTIONS.layers,
    folder: text(
      "DIR",
      "/dev/shm/sep-states",
      "Where the server writes hidden states; sep trace must see it too.",
    ),
    port: number({ integer: true, min: 1, max: 65535 }, undefined, "Port of the server.", "vLLM's, 8000"),
    dtype: BACKEND_OPTIONS.dtype,
    ...SERVE_OPTIONS,
  },
  examples: [
    {
      line: "sep vllm-command --model Qwen/Qwen3-8B --layers 0,18,36",
      meaning: "a server whose hidden states sep trace --layers 0,18,36 reads",
    },
    {
      line: "sep vllm-command --model Qwen/Qwen3-8B --purpose answers --tensor-parallel 2",
      meaning: "a server that draws answers on two GPUs",
    },
  ],
  async run(values, context) {
    const { model: reference, layers, folder, port } = values;
    const opening = openProfile(reference, { hub: { env: context.env }, signal: context.signal });
    const { model, path } = await renderProgress(opening, { json: false, quiet: true }, context);
    const { id, revision } = model.provenance;
    const purpose: ServePurpose =
      values.purpose === "states"
        ? { kind: "states", layers: resolveLayers(model.config, layers), folder }
        : { kind: values.purpose };
    const args = buildServeArguments({
      ...readServeOptions(values),
      ...servedModelOf(id, revision, path),
      servedName: plainName(id),
      port,
      purpose,
    });
    context.stdout.write(`${quoteForShell(["vllm", ...args])}\n`);
    return EXIT.ok;
  },
});
