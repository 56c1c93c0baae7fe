import { expect, it } from "vitest";
import { createFakeCli } from "../../../test/fakes/cli-context.ts";
import { VLLM_COMMAND } from "./vllm-command.ts";

const print = async (...args: string[]): Promise<string> => {
  const cli = createFakeCli();
  expect(await VLLM_COMMAND.run(args, cli.context)).toBe(0);
  return cli.stdout();
};

it("prints one line that starts a server for the layers of a trace", async () => {
  const line = await print(
    "--layers",
    "4,0,2,2",
    "--folder",
    "/shared/states",
    "--port",
    "8001",
    "--dtype",
    "bfloat16",
  );
  expect(line).toMatch(
    /^vllm serve \S+\/models\/pocket --served-model-name pocket --port 8001 --dtype bfloat16 /,
  );
  expect(line).toContain('"eagle_aux_hidden_state_layer_ids":[0,2,4]');
  expect(line).toContain('"shared_storage_path":"/shared/states"');
  expect(line.trimEnd().split("\n")).toHaveLength(1);
});

it("prints all layers without a choice, and refuses those that the model has not", async () => {
  expect(await print()).toContain('"eagle_aux_hidden_state_layer_ids":[0,1,2,3,4]');
  await expect(print("--layers", "5")).rejects.toMatchObject({ code: "bad-option" });
});

it("prints what draws answers, and what pools", async () => {
  expect(await print("--purpose", "answers", "--tensor-parallel", "2")).toMatch(
    /--tensor-parallel-size 2 --max-logprobs 20 --logprobs-mode raw_logprobs\n$/,
  );
  expect(await print("--purpose", "pooling")).toContain("--runner pooling --convert embed");
});
