import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { loadModel } from "../src/checkpoint/load-model.ts";
import { COMMANDS, findCommand } from "../src/cli/commands.ts";
import { parseOptions } from "../src/cli/options.ts";
import type { LanguageModel } from "../src/engine/language-model.ts";
import { SERVER_LIMITS } from "../src/serve/admission.ts";
import { createServer, liveModelOf } from "../src/serve.ts";
import { servedProbes, stageServer } from "./fakes/serve-stage.ts";

const ROOT = new URL("../", import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, ROOT), "utf8");
/** The pages about the server, one after the other. */
const PAGE = ["docs/serve.md", "docs/serve-api.md", "docs/serve-clients.md"].map(read).join("\n");
const run = promisify(execFile);

const blocksOf = (page: string, language: string): string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, "gms"))].map(
    ([, code]) => code as string,
  );
/** The names in the first column of the table below a heading. */
const namesBelow = (heading: string): string[] => {
  const section = PAGE.split(`## ${heading}\n`)[1]?.split("\n## ")[0] as string;
  return [...section.matchAll(/^\| (`[^|]*) \|/gm)].flatMap(([, cell]) =>
    [...(cell as string).matchAll(/`([^`]+)`/g)].map(([, name]) => name as string),
  );
};

let pocket: LanguageModel;
let stage: Awaited<ReturnType<typeof stageServer>>;
beforeAll(async () => {
  pocket = await loadModel("pocket", { threads: 1 });
  stage = await stageServer(pocket);
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
  await pocket[Symbol.asyncDispose]();
});
const here = (code: string): string => code.replaceAll("127.0.0.1:8000", `127.0.0.1:${stage.port}`);

describe("docs/serve.md and the pages beside it", () => {
  it("has lines of curl that run", async () => {
    const [chat, risk, entropy, ...others] = blocksOf(PAGE, "sh");
    expect(others).toEqual([]);
    const call = async (block: string | undefined): Promise<string> =>
      (await run("bash", ["-c", here(block as string)])).stdout;
    expect(await call(chat)).toMatch(/"finish_reason":"stop","sep":\{.*\n\ndata: \[DONE\]\n\n$/);
    expect(JSON.parse(await call(risk))).toMatchObject({ probe: "after", answer_tokens: expect.any(Number) });
    expect(JSON.parse(await call(entropy)).clusters.map(({ share }: { share: number }) => share)).toEqual([
      2 / 3,
      1 / 3,
    ]);
  });

  it("has JavaScript that runs against the built package", async () => {
    const [openai, aiSdk, ...others] = blocksOf(PAGE, "js");
    expect(others).toEqual([]);
    const call = async (block: string | undefined): Promise<string> => {
      const args = ["--input-type=module", "-e", here(block as string)];
      return (await run(process.execPath, args, { cwd: fileURLToPath(ROOT) })).stdout;
    };
    const streamed = await call(openai);
    expect(streamed).toMatch(/^token 0 risk 0\.\d+$/m);
    expect(streamed).toMatch(/^the answer's risk: 0\.\d+ abstain For a new question/m);
    const lines = (await call(aiSdk)).trim().split("\n");
    expect(lines.at(-2)).toMatch(/ 0\.\d+$/);
    expect(lines.at(-1)).toMatch(/^I am not sure \(0\.\d+\)\.$/);
  });

  it("lists the routes that there are", async () => {
    await using server = createServer({ live: liveModelOf(pocket), probes: servedProbes(pocket) });
    const routes = server.app.routes
      .filter(({ method, path }) => method !== "ALL" && !/^\/page\.|:id/.test(path))
      .map(({ method, path }) => `${method} ${path}`);
    expect(
      namesBelow("Routes")
        .filter((name) => /^(GET|POST) /.test(name))
        .sort(),
    ).toEqual([...new Set(routes)].sort());
  });

  it("lists every field of a response's `sep`, and fields of a request's that are taken", async () => {
    const wanted = namesBelow("What a request may say");
    const values: Readonly<Record<string, unknown>> = {
      probe: "after",
      decide: "risk",
      tokens: true,
      spans: true,
      samples: 2,
      abstain_text: "No.",
    };
    expect(wanted).toEqual(Object.keys(values));
    await using escalating = await stageServer(pocket, {
      policy: { name: "escalate", escalate: async () => ({ text: "29", model: "large" }) },
    });
    const response = await fetch(`${escalating.base}/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ messages: [{ role: "user", content: "1 + 1?" }], sep: values }),
    });
    const { choices } = (await response.json()) as { choices: [{ sep: object }] };
    expect(namesBelow("What a response says").sort()).toEqual(Object.keys(choices[0].sep).sort());
  });

  it("lists the metrics that there are", async () => {
    const text = await (await fetch(new URL("/metrics", stage.base))).text();
    const own = [...text.matchAll(/^# TYPE (sep_\w+)/gm)].map(([, name]) => name);
    expect(namesBelow("Metrics").sort()).toEqual(own.sort());
  });
});

describe("docs/deploy.md", () => {
  const [deployment, service] = blocksOf(read("docs/deploy.md"), "yaml").flatMap((block) =>
    parseAllDocuments(block).map((each) => {
      expect(each.errors).toEqual([]);
      return each.toJS();
    }),
  );
  const { spec } = deployment.spec.template;
  const [container] = spec.containers;

  it("has a manifest whose command the CLI understands, as does the Dockerfile's", () => {
    const entry = JSON.parse(/^ENTRYPOINT (.*)$/m.exec(read("Dockerfile"))?.[1] as string) as string[];
    const { command, rest } = findCommand(COMMANDS, [...entry.slice(1), ...container.args]);
    expect(command?.name).toBe("serve");
    const { values } = parseOptions("serve", command?.options ?? {}, rest);
    expect(values).toMatchObject({ host: "0.0.0.0", allowHost: ["any"], policy: "abstain" });
  });

  it("has checks of a path without a key, rights of nobody, and time for the last answers", () => {
    expect(
      ["startupProbe", "readinessProbe", "livenessProbe"].map((name) => container[name].httpGet.path),
    ).toEqual(Array(3).fill("/health"));
    expect(container.securityContext).toMatchObject({
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
    });
    const sleep = Number(container.lifecycle.preStop.exec.command[1]);
    expect(spec.terminationGracePeriodSeconds).toBeGreaterThan(SERVER_LIMITS.timeMs / 1000 + sleep);
    const volumes = spec.volumes.map(({ name }: { name: string }) => name);
    expect(container.volumeMounts.map(({ name }: { name: string }) => name)).toEqual(volumes);
    expect(service.spec.selector).toEqual(deployment.spec.template.metadata.labels);
  });
});
