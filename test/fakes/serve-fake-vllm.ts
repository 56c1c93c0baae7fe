// Stands for the program `vllm`: `vllm serve MODEL …` with the options that matter here, on the embedded model.
import { loadModel } from "../../src/checkpoint/load-model.ts";
import { startFakeVllm } from "./fake-vllm.ts";

const [command, , ...args] = process.argv.slice(2);
const argument = (name: string): string | undefined => args[args.indexOf(name) + 1];
const has = (name: string): boolean => args.includes(name);

if (command !== "serve") throw new Error(`no such command: ${command}`);
console.log(`args ${JSON.stringify(args)}`);
if (process.env.VLLM_API_KEY !== undefined) {
  console.log(`non-default args: {'api_key': '${process.env.VLLM_API_KEY}'}`);
  console.error(`the key ${encodeURIComponent(process.env.VLLM_API_KEY)}`);
}
if (process.env.FAKE_VLLM_FAILS === "1") {
  console.error("RuntimeError: CUDA out of memory");
  process.exit(3);
}
const model = await loadModel(process.env.FAKE_VLLM_MODEL as string, { threads: 1 });
const transfer = has("--kv_transfer_config")
  ? (JSON.parse(argument("--kv_transfer_config") as string) as {
      readonly kv_connector_extra_config: { readonly shared_storage_path: string };
    })
  : null;
const speculative = has("--speculative_config")
  ? (JSON.parse(argument("--speculative_config") as string) as {
      readonly draft_model_config: {
        readonly hf_config: { readonly eagle_aux_hidden_state_layer_ids: readonly number[] };
      };
    })
  : null;
const server = await startFakeVllm({
  model,
  name: argument("--served-model-name") as string,
  port: Number(argument("--port")),
  ...(transfer === null || speculative === null
    ? {}
    : {
        states: {
          folder: transfer.kv_connector_extra_config.shared_storage_path,
          layers: speculative.draft_model_config.hf_config.eagle_aux_hidden_state_layer_ids,
        },
      }),
});
console.log(`serving at ${server.url}`);
