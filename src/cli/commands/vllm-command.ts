import { openProfile } from "../../backends/open-profile.ts";
import { plainName, servedModelOf } from "../../backends/vllm/open-vllm.ts";
import { buildServeArguments, quoteForShell, type ServePurpose } from "../../backends/vllm/serve-command.ts";
import { resolveLayers } from "../../engine/resolve-layers.ts";
import { serverOptionsOf } from "../../study/open-backends.ts";
import { VLLM_COMMAND_SETTINGS } from "../../study/settings/backends.ts";
import { TRACE_SETTINGS } from "../../study/settings/probes.ts";
import { type Command, defineCommand } from "../command.ts";
import { EXIT } from "../exit.ts";
import { renderProgress } from "../render-progress.ts";

/** Prints how to start a vLLM server. */
export const VLLM_COMMAND: Command = defineCommand({
  name: "vllm-command",
  summary: "print the command that starts a vLLM server for `sep generate` or `sep trace`",
  options: { ...VLLM_COMMAND_SETTINGS, layers: TRACE_SETTINGS.layers },
  examples: [
    {
      line: "sep vllm-command --model Qwen/Qwen3-8B --layers 0,18,36",
      meaning: "a server whose hidden states `sep trace --layers 0,18,36` reads",
    },
    {
      line: "sep vllm-command --model Qwen/Qwen3-8B --purpose answers --tensor-parallel 2",
      meaning: "a server that samples answers on two GPUs",
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
      ...serverOptionsOf(values),
      ...servedModelOf(id, revision, path),
      servedName: plainName(id),
      port,
      purpose,
    });
    context.stdout.write(`${quoteForShell(["vllm", ...args])}\n`);
    return EXIT.ok;
  },
});
