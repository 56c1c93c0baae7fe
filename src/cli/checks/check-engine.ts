import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { listSupportedBackends, env as ortEnvironment } from "onnxruntime-node";
import { createGraph } from "../../onnx/graph.ts";
import { type Check, oneLine } from "./check.ts";

/** onnxruntime, and which of its execution providers can run a graph on this machine. */
export async function checkEngine(): Promise<Check[]> {
  const version = ortEnvironment.versions.node ?? "unknown version";
  const providers = await Promise.all(
    listSupportedBackends().map(async ({ name }) => describeProvider(name, await tryProvider(name))),
  );
  return [{ name: "onnxruntime-node", status: "ok", detail: version }, ...providers];
}

function describeProvider(name: string, failure: string | null): Check {
  const check = { name: `provider ${name}` };
  if (failure === null) return { ...check, status: "ok", detail: "runs a graph" };
  if (name === "cpu")
    return {
      ...check,
      status: "broken",
      detail: failure,
      advice: "Reinstall: npm rebuild onnxruntime-node.",
    };
  return { ...check, status: "absent", detail: failure, advice: "Not needed: the engine runs on the CPU." };
}

/**
 * Runs a graph of one node on a provider, in a process of its own: a missing driver may print to stderr from
 * native code, or take the process down.
 * @returns null if it ran, else why not
 */
async function tryProvider(name: string): Promise<string | null> {
  const require = createRequire(import.meta.url);
  const child = spawn(
    process.execPath,
    ["-e", PROBE, require.resolve("onnxruntime-node"), name, tinyModel()],
    { stdio: ["ignore", "pipe", "ignore"], timeout: PROBE_TIMEOUT_MS },
  );
  let output = "";
  child.stdout.setEncoding("utf8");
  child.stdout.on("data", (chunk: string) => {
    output += chunk;
  });
  return new Promise((settle) => {
    child.on("error", (error) => settle(oneLine(error)));
    child.on("close", (code, signal) => {
      if (code === 0) settle(null);
      else settle(shorten(oneLine(output)) || `the process ended with ${signal ?? `code ${code}`}`);
    });
  });
}

/** Prints why it failed. */
const PROBE = `(async () => {
const [path, name, model] = process.argv.slice(1);
try {
  const { InferenceSession, Tensor } = require(path);
  const options = { executionProviders: [name], logSeverityLevel: 4 };
  const session = await InferenceSession.create(Buffer.from(model, "base64"), options);
  const { y } = await session.run({ x: new Tensor("float32", [3], [1]) });
  if (y.data[0] !== 3) throw new Error("it computed " + y.data[0] + " instead of 3");
} catch (error) {
  console.log(error.message);
  process.exitCode = 1;
}
})();`;

/** y = x, as base64. */
function tinyModel(): string {
  const graph = createGraph("probe");
  graph.input("x", "float32", [1]);
  graph.addNamed("Identity", ["x"], ["y"]);
  graph.output("y", "float32", [1]);
  return Buffer.from(graph.serialize()).toString("base64");
}

/** Without the place in onnxruntime's sources and the condition that did not hold. */
function shorten(text: string): string {
  const reason = text.replace(/^.* was false\.? ?/, "");
  return reason.length <= 120 ? reason : `${reason.slice(0, 119)}…`;
}

/** Loading onnxruntime takes well under a second; a driver that hangs must not hang the doctor. */
const PROBE_TIMEOUT_MS = 20_000;
