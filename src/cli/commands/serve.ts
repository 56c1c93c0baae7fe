import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { z } from "zod";
import { POCKET_FOLDER } from "../../checkpoint/locate-checkpoint.ts";
import { SepError } from "../../errors.ts";
import { checkExposure } from "../../net/gate.ts";
import { listenBehindGate } from "../../net/listen.ts";
import { SERVER_LIMITS } from "../../serve/admission.ts";
import { ABSTAIN_TEXT, RESAMPLES } from "../../serve/answer-request.ts";
import { ApiError, describeFailure } from "../../serve/api-error.ts";
import { openEscalation } from "../../serve/escalate.ts";
import type { NamedProbe } from "../../serve/served-probe.ts";
import { hashFile } from "../../store/fingerprint.ts";
import { fileExists } from "../../store/read-file.ts";
import { loadProbe } from "../../study/probe-files.ts";
import { followRoute, readRoute } from "../../study/probes/read-route.ts";
import { EQUIVALENCE } from "../../study/settings/meaning.ts";
import { flag, setting, text } from "../../study/settings/setting.ts";
import { type Command, defineCommand } from "../command.ts";
import { OUTPUT } from "../common-settings.ts";
import { EXIT } from "../exit.ts";
import { untilAborted } from "../open-browser.ts";
import { openProbedModel, PROBED_MODEL, PROBED_PROMPT, readProbedPrompt } from "../probed-model.ts";
import { renderProgress } from "../render-progress.ts";
import { createPaint } from "../terminal.ts";

const USUAL_PORT = 8000;
/** A fifth of the package's modules, for this command alone. */
const loadServer = () => import("../../serve/create-server.ts");
const STUDY_PROBE = "artifacts/models/accuracy_probe.json";
/** Made by `sep run` with its defaults, so that there is something to serve before there is a study. */
const EMBEDDED_PROBE = join(POCKET_FOLDER, "probes", "accuracy_probe.json");

const OPTIONS = {
  probe: setting(
    z.array(z.string().min(1)).min(1).readonly().optional(),
    "Probes that estimate the risk, separated by commas; requests that name no probe use the first; docs/serve.md.",
    {
      placeholder: "FILE,FILE",
      noun: "files",
      fallback: `${STUDY_PROBE}; without a study, that of the embedded model`,
    },
  ),
  servedName: text("NAME", "What the model is called in requests and answers.", "as --model"),
  host: setting(
    z.string().min(1).default("127.0.0.1"),
    "Address to listen on; 0.0.0.0 is every address of this machine.",
    {
      placeholder: "ADDRESS",
    },
  ),
  port: setting(z.int().min(0).max(65_535).default(USUAL_PORT), "Port to listen on; 0 takes a free one."),
  letAnyoneIn: flag(
    "Let everybody who reaches --host use the model without a key. A key is read from SEP_API_KEY.",
    { group: "Access and limits" },
  ),
  allowHost: setting(
    z.array(z.string().min(1)).readonly().default([]),
    "Name under which clients reach the server, with its port, such as risk.example.org:443; any: all names, behind a proxy that checks them.",
    { placeholder: "NAME:PORT|any", isRepeatable: true, group: "Access and limits" },
  ),
  allowOrigin: setting(
    z.array(z.url()).readonly().default([]),
    "Origin whose web pages may use the server, such as https://example.org.",
    { placeholder: "ORIGIN", isRepeatable: true, group: "Access and limits" },
  ),
  tlsCert: text("FILE", "Certificate for https, in PEM format, together with --tls-key.", undefined, {
    group: "Access and limits",
  }),
  tlsKey: text("FILE", "Private key of --tls-cert.", undefined, { group: "Access and limits" }),
  policy: setting(
    z.enum(["flag", "abstain", "resample", "escalate"]).default("flag"),
    "What happens to an answer that is too risky by the probe's threshold. flag: it is given with its risk; abstain: it is withheld; resample: more answers are sampled, and the most common meaning is given; escalate: the server of --escalate answers.",
    { group: "Decisions" },
  ),
  decide: setting(
    z.enum(["risk", "coverage"]).default("risk"),
    "Which of the probe's thresholds decides: risk bounds the share of wrong answers, coverage guarantees the share of answers given.",
    { group: "Decisions" },
  ),
  unfamiliar: setting(
    z.enum(["flag", "refuse"]).default("flag"),
    "What to do with a question whose hidden state is unlike those that the probe was trained on: flag it, or decide not to give the answer.",
    { group: "Decisions" },
  ),
  abstainText: setting(z.string().min(1).default(ABSTAIN_TEXT), "What a withheld answer says.", {
    group: "Decisions",
  }),
  resamples: setting(z.int().min(2).max(32).default(RESAMPLES), "Answers that --policy resample samples.", {
    group: "Decisions",
  }),
  onError: setting(
    z.enum(["answer", "refuse"]).default("refuse"),
    "What happens where --policy or the measurement of entropy fails. answer: the model's answer is given, with a warning; refuse: the request fails.",
    { group: "Decisions" },
  ),
  escalate: text(
    "URL",
    "OpenAI-compatible server for --policy escalate; its key is read from OPENAI_API_KEY.",
    undefined,
    { group: "Decisions" },
  ),
  escalateModel: text("NAME", "Model on --escalate.", undefined, { group: "Decisions" }),
  route: text(
    "FILE",
    "Route that `sep route` fitted for a probe, whose threshold then decides for --policy escalate; docs/route.md.",
    "the probe's own threshold",
    { group: "Decisions" },
  ),
  ...EQUIVALENCE,
  maxConcurrent: setting(
    z.int().min(1).default(SERVER_LIMITS.concurrent),
    "Answers that are generated in parallel.",
    { group: "Access and limits" },
  ),
  maxQueue: setting(
    z.int().min(0).default(SERVER_LIMITS.queued),
    "Answers that may wait; beyond that, requests get status 429.",
    { group: "Access and limits" },
  ),
  maxNewTokens: setting(
    z.int().min(1).default(SERVER_LIMITS.tokens),
    "Most tokens per answer that a request may ask for.",
    { group: "Access and limits" },
  ),
  timeLimit: setting(
    z
      .number()
      .gt(0)
      .default(SERVER_LIMITS.timeMs / 1000),
    "Time limit per request, in seconds.",
    { group: "Access and limits" },
  ),
  ...PROBED_PROMPT,
  ...PROBED_MODEL,
  quiet: OUTPUT.quiet,
};

/** The live server. */
export const SERVE: Command = defineCommand({
  name: "serve",
  summary: "serve a model over OpenAI's API, with the risk of every answer",
  options: OPTIONS,
  examples: [
    { line: "sep serve", meaning: "the accuracy probe of the study in this folder, and its model" },
    {
      line: "sep serve --probe before.json,after.json --policy abstain",
      meaning: "two probes; what the first says not to give is withheld",
    },
    {
      line: "sep serve --policy escalate --escalate http://big:8000/v1 --escalate-model large",
      meaning: "questions whose answers are too risky go to another server",
    },
  ],
  async run(values, context) {
    const { data, env, signal, stderr } = context;
    const token = env.SEP_API_KEY || null;
    const { host, letAnyoneIn: letsAnyoneIn } = values;
    checkExposure(host, {
      hasToken: token !== null,
      letsAnyoneIn,
      danger: `--host ${host} without a key would let everybody who reaches this machine use the model. Set SEP_API_KEY, or add --let-anyone-in if that is what you want.`,
    });
    if ((values.tlsCert === undefined) !== (values.tlsKey === undefined))
      throw new SepError("bad-option", "Got one of --tls-cert and --tls-key, expected both or neither.");
    if ((values.policy === "escalate") !== (values.escalate !== undefined))
      throw new SepError("bad-option", "--policy escalate and --escalate need each other.");
    const tls =
      values.tlsCert === undefined || values.tlsKey === undefined
        ? undefined
        : { cert: await readPem(values.tlsCert), key: await readPem(values.tlsKey) };
    const hasStudy = values.probe !== undefined || (await fileExists(STUDY_PROBE));
    const loaded = await loadProbes(values.probe ?? [hasStudy ? STUDY_PROBE : EMBEDDED_PROBE]);
    const probes = await routeProbes(loaded, values);
    if (!hasStudy && !values.quiet)
      stderr.write(
        "There is no study in this folder: the embedded model is served, which does arithmetic only, with the probe of its demo.\n",
      );
    const promptFormat = await readProbedPrompt(values, context);
    await using opened = await renderProgress(
      openProbedModel(
        probes.map(({ probe }) => probe),
        values,
        { isForMany: true },
        context,
      ),
      { json: false, quiet: values.quiet },
      context,
    );
    const { timeLimit, maxConcurrent, maxQueue, maxNewTokens } = values;
    const { createServer } = await loadServer();
    await using server = createServer({
      live: opened.live,
      probes,
      decide: values.decide,
      unfamiliar: values.unfamiliar,
      promptFormat,
      modelName: values.servedName ?? values.model,
      meaning: values,
      policy: {
        name: values.policy,
        abstainText: values.abstainText,
        samples: values.resamples,
        onError: values.onError,
        escalate:
          values.escalate === undefined
            ? null
            : openEscalation(values.escalate, { model: values.escalateModel, key: env.OPENAI_API_KEY }),
      },
      limits: {
        concurrent: maxConcurrent,
        queued: maxQueue,
        tokens: maxNewTokens,
        timeMs: timeLimit * 1000,
      },
      report: (error) => stderr.write(`${context.redactor.message(describeFailure(error))}\n`),
    });
    await using listening = await listenBehindGate(server.app.fetch, {
      host,
      port: values.port,
      token,
      maxBodyBytes: SERVER_LIMITS.bodyBytes,
      title: "Risk",
      openPaths: ["/health"],
      hosts: values.allowHost.includes("any") ? "any" : values.allowHost,
      origins: values.allowOrigin,
      tls,
      describeRefusal: (status, reason) => new ApiError(status, reason).body,
    });
    const paint = createPaint(data, env);
    if (!values.quiet) for (const line of describeServer(listening, probes)) data.write(`${line}\n`);
    else data.write(`${listening.address}\n`);
    if (!values.quiet) data.write(`${paint("gray", "Press Ctrl-C to end.")}\n`);
    await untilAborted(signal);
    // connections stay open for the answers that are being written
    const closed = listening.close();
    await server.drain();
    await closed;
    return EXIT.ok;
  },
});

function describeServer(
  { address, port }: { readonly address: string; readonly port: number },
  [first, ...others]: readonly NamedProbe[],
): string[] {
  const base = `${new URL(address).protocol}//127.0.0.1:${port}/v1`;
  const names = [`${first?.name} (of requests that name none)`, ...others.map(({ name }) => name)];
  return [`Page    ${address}`, `OpenAI  ${base}`, `Probes  ${names.join(", ")}`];
}

async function readPem(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new SepError("missing-input", `${path} cannot be read: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** @throws SepError as `loadProbe`; `bad-option` for two of a name */
async function loadProbes(paths: readonly string[]): Promise<NamedProbe[]> {
  const probes: NamedProbe[] = [];
  for (const path of paths) {
    const name = basename(path, ".json");
    if (probes.some((other) => other.name === name))
      throw new SepError("bad-option", `Two probes are called ${name}. Rename one of their files.`);
    // first, since it says what is wrong with a file
    const probe = await loadProbe(path);
    probes.push({ name, sha256: await hashFile(path), probe });
  }
  return probes;
}

/**
 * The probes with the threshold of a route, where one is given, in place of the one that the route was fitted for.
 * @throws SepError as `readRoute`; `bad-option` for a policy or decision that has no use for it; `probe-mismatch`
 */
async function routeProbes(
  probes: readonly NamedProbe[],
  {
    route: path,
    policy,
    decide,
  }: { readonly route: string | undefined; readonly policy: string; readonly decide: string },
): Promise<readonly NamedProbe[]> {
  if (path === undefined) return probes;
  if (policy !== "escalate" || decide !== "risk")
    throw new SepError("bad-option", "Got --route, expected --policy escalate and --decide risk with it.");
  const route = await readRoute(path);
  if (probes.every(({ sha256 }) => sha256 !== route.probe.sha256))
    throw new SepError(
      "probe-mismatch",
      `${path} was fitted for another probe (${route.probe.file}, SHA-256 ${route.probe.sha256}). Serve that probe, or fit the route again with \`sep route\`.`,
    );
  return probes.map((named) =>
    named.sha256 === route.probe.sha256 ? { ...named, probe: followRoute(named.probe, route) } : named,
  );
}
