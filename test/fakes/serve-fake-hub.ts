import { startFakeHub } from "./fake-hub.ts";
import { createGoldenModel, createPlainModel } from "./hub-stage.ts";

// Serves tiny checkpoints of test/golden as a Hugging Face hub, for programs that are not tests of this package:
//   node test/fakes/serve-fake-hub.ts            (Node 22.18 or newer, which strips types)
// prints {"endpoint": …, "models": …} and then a line a request, until its standard input ends.

const CHECKPOINTS = ["qwen3-tied", "qwen3-untied-bf16", "llama-tied-f16-sharded"];

const print = (value: unknown): void => {
  process.stdout.write(`${JSON.stringify(value)}\n`);
};
const models = [createPlainModel(), ...CHECKPOINTS.map((name) => createGoldenModel(name))];
const hub = await startFakeHub(models, {
  fault: (request) => {
    print(request);
    return null;
  },
});
print({
  endpoint: hub.endpoint,
  models: Object.fromEntries(models.map(({ id, refs }) => [id, refs.get("main")])),
});
process.stdin.resume();
process.stdin.once("end", () => hub[Symbol.asyncDispose]());
