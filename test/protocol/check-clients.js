// Drives the server with clients in Python as their users have them: the `openai` package, and LiteLLM's proxy, once with the
// server behind it as a model and once with the server beside it as a guardrail. They are large, so they are not installed
// with this package:
//
//   python3 -m venv FOLDER && FOLDER/bin/pip install "litellm[proxy]==1.108.7" openai
//   npm run check:clients -- --python FOLDER/bin/python
import { execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs, promisify } from "node:util";
import { loadModel } from "../../dist/index.js";
import { createServer, listenBehindGate, liveModelOf } from "../../dist/serve.js";

const QUESTION = "What is 48 - 19?";
const MESSAGES = [{ role: "user", content: QUESTION }];
/** Of our server and of the proxy, which starts with none that could be guessed. */
const KEY = `sk-${randomBytes(32).toString("hex")}`;
const START_MS = 120_000;
const PAGE = new URL("../../docs/serve.md", import.meta.url);

const PYTHON_CLIENT = `
import json, sys
from openai import OpenAI, BadRequestError

client = OpenAI(base_url=sys.argv[1], api_key=sys.argv[2], max_retries=0)
messages = [{"role": "user", "content": sys.argv[3]}]
whole = client.chat.completions.create(model="pocket", messages=messages)
text, tokens, last = "", [], None
for chunk in client.chat.completions.create(model="pocket", messages=messages, stream=True):
    choice = chunk.choices[0]
    text += choice.delta.content or ""
    sep = getattr(choice, "sep", None) or {}
    tokens += sep.get("tokens", [])
    if choice.finish_reason:
        last = sep
other = client.chat.completions.create(model="pocket", messages=messages, extra_body={"sep": {"probe": "before"}})
try:
    client.chat.completions.create(model="pocket", messages=messages, temperature=-1)
    refused = None
except BadRequestError as error:
    refused = error.param
print(json.dumps({
    "text": whole.choices[0].message.content, "sep": whole.choices[0].sep, "streamed": text, "tokens": len(tokens),
    "completion_tokens": whole.usage.completion_tokens, "streamed_risk": last["risk"],
    "other": other.choices[0].sep["probe"], "models": [model.id for model in client.models.list()], "refused": refused,
}))
`;

const { values } = parseArgs({ options: { python: { type: "string" } } });
if (values.python === undefined) throw new Error("Say which Python has the clients: --python PYTHON.");
const run = promisify(execFile);
const folder = await mkdtemp(join(tmpdir(), "sep-clients-"));
let failures = 0;
const model = await loadModel("pocket", { threads: 1 });
const given = await serve({ threshold: 1 });
const withheld = await serve({ threshold: 0 });
try {
  await checkOpenai(given);
  await checkLiteLlm(given, withheld);
} finally {
  for (const each of [given, withheld, model]) await each[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
}
console.log(failures === 0 ? "All as it should be." : `${failures} not as they should be.`);
process.exitCode = failures === 0 ? 0 : 1;

async function checkOpenai(server) {
  const { stdout } = await run(values.python, ["-c", PYTHON_CLIENT, server.base, KEY, QUESTION]);
  const got = JSON.parse(stdout);
  const expected = await ask(`${server.base}/chat/completions`, { messages: MESSAGES });
  const { sep, message } = expected.choices[0];
  expect("openai: the answer", got.text, message.content);
  expect("openai: its risk", got.sep.risk, sep.risk);
  expect("openai: the streamed answer", got.streamed, message.content);
  expect("openai: the streamed risk", got.streamed_risk, sep.risk);
  expect("openai: a risk for each token but the end token", got.tokens, got.completion_tokens - 1);
  expect("openai: another probe", got.other, "before");
  expect("openai: models", got.models.join(), "pocket");
  expect("openai: the field of a refused request", got.refused, "temperature");
  const [, sample] = /^```python\n(.*?)^```/ms.exec(await readFile(PAGE, "utf8"));
  const code = sample.replaceAll("127.0.0.1:8000", `127.0.0.1:${server.port}`).replace('"none"', `"${KEY}"`);
  const { stdout: said } = await run(values.python, ["-c", code]);
  expect("openai: the lines of docs/serve.md", / 0\.\d+ answer$/.test(said.trim()), true);
}

/**
 * @param server with a threshold that every answer passes
 * @param strict with one that none does
 */
async function checkLiteLlm(server, strict) {
  const guardrail = (name, { port }, probe) => ({
    guardrail_name: name,
    litellm_params: {
      guardrail: "generic_guardrail_api",
      mode: ["pre_call", "post_call"],
      api_base: `http://127.0.0.1:${port}`,
      api_key: KEY,
      additional_provider_specific_params: { probe },
      // the risk is that of a whole answer
      streaming_buffer_until_moderated: true,
    },
  });
  const config = {
    model_list: [
      {
        model_name: "watched",
        litellm_params: { model: "openai/pocket", api_base: server.base, api_key: KEY },
      },
    ],
    guardrails: [
      guardrail("gives", server, "after"),
      guardrail("withholds", strict, "after"),
      guardrail("asks-first", strict, "before"),
    ],
    litellm_settings: { telemetry: false, num_retries: 0 },
  };
  const proxy = await startProxy(config);
  try {
    const url = `${proxy.base}/chat/completions`;
    const body = { model: "watched", messages: MESSAGES };
    const chat = (changes) => ask(url, { ...body, ...changes });
    const expected = await ask(`${server.base}/chat/completions`, { messages: MESSAGES });
    const { sep, message } = expected.choices[0];

    const whole = await chat({});
    // it takes the reasoning out of whole answers
    const [, answer] = message.content.split("</think>");
    expect("LiteLLM: the answer", whole.choices[0].message.content, answer);
    expect("LiteLLM: its risk", readSep(whole.choices[0])?.risk, sep.risk);
    const streamed = await stream(url, body);
    expect("LiteLLM: the streamed answer", streamed.text, message.content);
    expect("LiteLLM: the streamed risk", streamed.sep?.risk, sep.risk);
    const detailed = await stream(url, { ...body, logprobs: true });
    expect("LiteLLM: risks of streamed tokens", detailed.tokens > 3, true);
    const other = await chat({ sep: { probe: "before" } });
    expect("LiteLLM: another probe", readSep(other.choices[0])?.probe, "before");

    server.seen.length = 0;
    const given = await chat({ guardrails: ["gives"] });
    expect("guardrail: gives an answer", given.choices?.[0].message.content, answer);
    const [asked, answered, ...more] = server.seen.filter(({ path }) => path.startsWith("/beta/"));
    expect(
      "guardrail: what it sees",
      [asked?.body.input_type, answered?.body.input_type, more.length].join(),
      "request,response,0",
    );
    expect("guardrail: one id of the call", asked?.body.litellm_call_id, answered?.body.litellm_call_id);
    expect("guardrail: the key", asked?.headers.get("x-api-key"), KEY);
    const withheld = await chat({ guardrails: ["withholds"] });
    expect(
      "guardrail: withholds an answer",
      /gives a risk of 0\.\d+ to this answer/.test(withheld.error?.message),
      true,
    );
    const first = await chat({ guardrails: ["asks-first"] });
    expect(
      "guardrail: refuses a question",
      /gives a risk of 0\.\d+ to this question/.test(first.error?.message),
      true,
    );
    const passed = await stream(url, { ...body, guardrails: ["gives"] });
    expect("guardrail: gives a streamed answer", passed.text, message.content);
    const cut = await stream(url, { ...body, guardrails: ["withholds"] });
    expect("guardrail: withholds a streamed answer", /gives a risk of/.test(cut.error), true);
  } finally {
    proxy.child.removeAllListeners("exit");
    proxy.child.kill();
  }
}

/** LiteLLM hands on what it does not know of a whole answer's choice in a field of its own. */
function readSep(choice) {
  return choice.provider_specific_fields?.sep;
}

async function ask(url, body) {
  const response = await post(url, body);
  return response.json();
}

function post(url, body) {
  return fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${KEY}` },
    body: JSON.stringify(body),
  });
}

async function stream(url, body) {
  const text = await (await post(url, { ...body, stream: true })).text();
  const all = { text: "", tokens: 0, sep: undefined, error: "" };
  for (const line of text.split("\n").filter((each) => each.startsWith("data: {"))) {
    const { choices = [], error, provider_specific_fields } = JSON.parse(line.slice("data: ".length));
    if (error) all.error += error.message;
    all.text += choices[0]?.delta.content ?? "";
    all.tokens += choices[0]?.sep?.tokens?.length ?? 0;
    all.sep ??= provider_specific_fields?.sep;
  }
  if (!text.startsWith("data: ")) all.error += JSON.parse(text).error.message;
  return all;
}

/** The embedded model with two probes of arbitrary weights; what is asked of it stays in `seen`. */
async function serve({ threshold }) {
  const width = model.config.hiddenSize;
  const { id, weights_sha256, tokenizer_sha256, dtype } = model.provenance;
  const guarantee = "G";
  const probe = (position) => ({
    kind: "logistic",
    target: "incorrect",
    features: "hidden-state",
    position,
    layer: 2,
    layer_count: 1,
    width,
    source: { model: id, weights_sha256, tokenizer_sha256, dtype, norm_state: "residual" },
    intercept: 0,
    calibration_map: { method: "platt", slope: 1, offset: 0 },
    score_deciles: null,
    decisions: [
      {
        kind: "risk",
        target: 0.1,
        threshold: { kind: "risk", target: 0.1, threshold, guarantee, calibration_questions: 9 },
        reason: null,
      },
    ],
    asking: {
      prompt_format: "chat",
      system_prompt: null,
      enable_thinking: null,
      sampler: {
        temperature: 0,
        topP: 1,
        topK: 0,
        minP: 0,
        repetitionPenalty: 1,
        maxNewTokens: 160,
        stopStrings: [],
        stopTokenIds: [],
      },
    },
    warnings: [],
    mean: new Float32Array(width),
    scale: new Float32Array(width).fill(10),
    coefficients: Float32Array.from({ length: width }, (_, j) => Math.sin(j) / 10),
    hidden: null,
    familiarity: null,
  });
  const named = (name, position) => ({ name, sha256: "0".repeat(64), probe: probe(position) });
  const server = createServer({
    live: liveModelOf(model),
    probes: [named("after", "second-to-last"), named("before", "before-generation")],
  });
  const seen = [];
  const answer = async (request) => {
    const path = new URL(request.url).pathname;
    const body = request.method === "POST" ? await request.clone().json() : null;
    seen.push({ path, headers: request.headers, body });
    return server.app.fetch(request);
  };
  const listening = await listenBehindGate(answer, { token: KEY, maxBodyBytes: 1 << 20, title: "Risk" });
  return {
    seen,
    port: listening.port,
    base: `http://127.0.0.1:${listening.port}/v1`,
    async [Symbol.asyncDispose]() {
      await listening[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** LiteLLM's proxy as its users start it. */
async function startProxy(config) {
  const path = join(folder, "litellm.yaml");
  // JSON is YAML
  await writeFile(path, JSON.stringify(config));
  const port = await freePort();
  const litellm = join(dirname(values.python), "litellm");
  const child = spawn(litellm, ["--config", path, "--host", "127.0.0.1", "--port", String(port)], {
    // it would fetch prices of models otherwise
    env: { ...process.env, LITELLM_LOCAL_MODEL_COST_MAP: "True", LITELLM_MASTER_KEY: KEY },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let log = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (data) => {
      log += data;
    });
  const gone = new Promise((_, reject) => {
    child.once("exit", (code) => reject(new Error(`LiteLLM ended with ${code}:\n${log}`)));
  });
  const base = `http://127.0.0.1:${port}`;
  const ready = (async () => {
    for (const end = Date.now() + START_MS; Date.now() < end; ) {
      const isUp = await fetch(`${base}/health/liveliness`).then(
        ({ ok }) => ok,
        () => false,
      );
      if (isUp) return;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    throw new Error(`LiteLLM did not start within ${START_MS / 1000} s:\n${log}`);
  })();
  await Promise.race([ready, gone]);
  gone.catch(() => undefined);
  return { base, child };
}

async function freePort() {
  const server = createTcpServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
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
