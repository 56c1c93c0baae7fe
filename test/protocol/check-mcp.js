// Drives the notebook's agent server with two programs of the protocol's authors: the Inspector's command line, with a
// token, and the conformance suite, which knows none. Both are large and want Node 22.19, so they are not installed with
// this package:
//
//   npm install --prefix FOLDER @modelcontextprotocol/inspector@2.12.0 @modelcontextprotocol/conformance@0.1.16
//   npm run check:mcp -- --tools FOLDER
import { execFile, spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";

/** What a notebook offers: tools, over several streams, behind a gate that knows its own names. */
const APPLICABLE = [
  "server-initialize",
  "ping",
  "tools-list",
  "server-sse-multiple-streams",
  "server-sse-polling",
  "dns-rebinding-protection",
];
/** Why the others do not apply. */
const OTHERS = {
  "want a tool that only the suite's example server has": [
    "tools-call-simple-text",
    "tools-call-image",
    "tools-call-audio",
    "tools-call-embedded-resource",
    "tools-call-mixed-content",
    "tools-call-with-logging",
    "tools-call-error",
    "tools-call-with-progress",
    "tools-call-sampling",
    "tools-call-elicitation",
    "json-schema-2020-12",
    "elicitation-sep1034-defaults",
    "elicitation-sep1330-enums",
  ],
  "want logging or completion, which a notebook does not offer": ["logging-set-level", "completion-complete"],
  "want resources, which a notebook does not offer": [
    "resources-list",
    "resources-read-text",
    "resources-read-binary",
    "resources-templates-read",
    "resources-subscribe",
    "resources-unsubscribe",
  ],
  "want prompts, which a notebook does not offer": [
    "prompts-list",
    "prompts-get-simple",
    "prompts-get-with-args",
    "prompts-get-embedded-resource",
    "prompts-get-with-image",
  ],
};

const NOTEBOOK = `<!doctype html>
<notebook theme="air">
  <title>Stage</title>
  <script id="1" type="text/x-typescript">
    const k = view(ui.slider({ min: 1, max: 10, value: 3, label: "K" }));
  </script>
  <script id="2" type="text/x-typescript">
    const double = k * 2;
    double
  </script>
</notebook>
`;

const run = promisify(execFile);
const { values } = parseArgs({ options: { tools: { type: "string" } } });
if (values.tools === undefined) throw new Error("Say where the two programs are: --tools FOLDER.");
const toolOf = (name) => join(values.tools, "node_modules/.bin", name);
const folder = await mkdtemp(join(tmpdir(), "sep-mcp-"));
const notebook = join(folder, "stage.html");
await writeFile(notebook, NOTEBOOK);
let failures = 0;
try {
  await withServer([], checkInspector);
  await withServer(["--no-token"], checkConformance);
} finally {
  await rm(folder, { recursive: true, force: true });
}
console.log(failures === 0 ? "All as it should be." : `${failures} not as they should be.`);
process.exitCode = failures === 0 ? 0 : 1;

/** The Inspector lists the tools, moves an input, edits a cell, and finds what that changed. */
async function checkInspector({ url, token }) {
  const inspect = async (method, more = [], bearer = token) => {
    const args = ["--cli", url, "--transport", "http", "--header", `Authorization: Bearer ${bearer}`];
    const all = [toolOf("mcp-inspector"), ...args, "--method", method, ...more];
    return JSON.parse((await run(process.execPath, all)).stdout);
  };
  const call = async (name, args = {}) => {
    const pairs = Object.entries(args).flatMap(([key, value]) => [
      "--tool-arg",
      `${key}=${JSON.stringify(value)}`,
    ]);
    return (await inspect("tools/call", ["--tool-name", name, ...pairs])).structuredContent;
  };
  const { tools } = await inspect("tools/list");
  expect("Inspector: tools/list", tools.length, 13);
  await call("run_stale");
  await call("set_input", { key: "1:0", value: 5 });
  expect("Inspector: set_input", (await call("get_variable", { name: "double" })).text, "10");
  const { revision } = await call("read_cell", { id: 2 });
  await call("edit_cells", { edits: [{ id: 2, source: "const double = k * 20;", revision }] });
  expect("Inspector: edit_cells", (await call("get_variable", { name: "double" })).text, "100");
  expect("Inspector: the file", (await readFile(notebook, "utf8")).includes("const double = k * 20;"), true);
  const refused = await inspect("tools/list", [], "wrong").then(
    () => "let in",
    () => "refused",
  );
  expect("Inspector: a wrong token", refused, "refused");
}

/** Every scenario of the suite is either passed or known not to apply. */
async function checkConformance({ url }) {
  const suite = (...args) => run(process.execPath, [toolOf("conformance"), ...args]);
  const { stdout } = await suite("list", "--server");
  const known = [...APPLICABLE, ...Object.values(OTHERS).flat()].sort();
  const offered = [...stdout.matchAll(/^ {2}- (\S+)/gm)].map(([, name]) => name).sort();
  expect("conformance: its scenarios", offered.join(" "), known.join(" "));
  for (const scenario of APPLICABLE) {
    const outcome = await suite("server", "--url", url, "--scenario", scenario).then(
      ({ stdout: text }) => /, 0 failed/.test(text),
      () => false,
    );
    expect(`conformance: ${scenario}`, outcome, true);
  }
  for (const [reason, scenarios] of Object.entries(OTHERS))
    console.log(`  -   conformance: ${scenarios.length} ${reason}`);
}

function expect(what, got, wanted) {
  const isRight = got === wanted;
  if (!isRight) failures++;
  console.log(
    isRight
      ? `  ok  ${what}`
      : `  NO  ${what}: got ${JSON.stringify(got)}, expected ${JSON.stringify(wanted)}`,
  );
}

/** `sep edit --mcp` as a user starts it. */
async function withServer(options, check) {
  const sep = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
  const args = [sep, "edit", notebook, "--mcp", "--no-open", "--port", "0", ...options];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  try {
    const text = await new Promise((resolve, reject) => {
      let seen = "";
      child.stdout.on("data", (data) => {
        seen += data;
        if (seen.includes("Nothing runs")) resolve(seen);
      });
      child.on("exit", (code) => reject(new Error(`sep edit ended with ${code}:\n${seen}`)));
    });
    await check({ url: /http:\S+\/mcp/.exec(text)?.[0], token: /Bearer (\S+)/.exec(text)?.[1] });
  } finally {
    child.removeAllListeners("exit");
    child.kill();
  }
}
