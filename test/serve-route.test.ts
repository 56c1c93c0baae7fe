import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { loadModel } from "../src/checkpoint/load-model.ts";
import { loadQuestions } from "../src/samples/load-questions.ts";
import { scoreQuestion } from "../src/serve/score-question.ts";
import { writeJsonl } from "../src/store/jsonl.ts";
import { loadProbe } from "../src/study/probe-files.ts";
import { readRoute } from "../src/study/probes/read-route.ts";
import { openWorkspace } from "../src/study/workspace.ts";

// A cascade as docs/route.md describes it, of two real servers: the route is fitted on a study of the embedded model.

const SEP = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
const STUDY = ["--dataset", "word-problems", "--ood", "none", "--limit", "80", "--runs", "3"];
const QUESTIONS = 24;

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "sep-cascade-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

const sep = (...args: readonly string[]) => promisify(execFile)(process.execPath, [SEP, ...args]);

interface Serving extends AsyncDisposable {
  readonly url: string;
}

async function serve(...args: readonly string[]): Promise<Serving> {
  const child: ChildProcess = spawn(process.execPath, [SEP, "serve", "--port", "0", "--quiet", ...args], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const ended = new Promise((resolve) => child.once("close", resolve));
  const address = await new Promise<string>((resolve, reject) => {
    child.stdout?.once("data", (line: Buffer) => resolve(String(line).trim()));
    void ended.then((code) => reject(new Error(`sep serve ended with ${code}`)));
  });
  return {
    url: new URL(address).origin,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

interface Answer {
  readonly choices: readonly [
    {
      readonly message: { readonly content: string };
      readonly sep: { readonly action: string | null; readonly answered_by?: string };
    },
  ];
  readonly error?: { readonly code: string };
}

const ask = async (url: string, content: string) => {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ messages: [{ role: "user", content }], temperature: 0 }),
  });
  return { status: response.status, body: (await response.json()) as Answer };
};

it("asks the larger server exactly where the route's threshold is passed, and fails there alone when it is gone", {
  tags: ["long"],
  timeout: 300_000,
}, async () => {
  const workspace = openWorkspace(join(root, "study"));
  await sep("run", ...STUDY, "--max-new-tokens", "120", "--quiet", "--out", workspace.root);
  const { questions } = await loadQuestions(workspace.raw("math"));
  const large = join(root, "large.jsonl");
  const answers = questions.map(({ id, answer }) => ({ id, answers: [{ text: answer, is_correct: true }] }));
  await writeJsonl(large, answers);
  await sep("route", large, "--target-risk", "0.35", "--out", workspace.root);
  const { threshold } = await readRoute(workspace.route);

  const asked = questions.slice(0, QUESTIONS).map(({ question }) => question);
  const probe = await loadProbe(workspace.accuracyProbe);
  await using model = await loadModel("pocket", { threads: 1 });
  const isEscalated = new Map<string, boolean>();
  for (const question of asked) {
    const { score } = await scoreQuestion(model, probe, question);
    isEscalated.set(question, score === null || score > threshold.threshold);
  }
  const escalated = asked.filter((question) => isEscalated.get(question));
  expect(escalated.length, "both sides answer").toBeGreaterThan(0);
  expect(escalated.length, "both sides answer").toBeLessThan(QUESTIONS);

  const big = await serve("--served-name", "big");
  const cascade = ["--policy", "escalate", "--route", workspace.route, "--escalate-model", "big"];
  await using small = await serve(
    ...["--probe", workspace.accuracyProbe, ...cascade],
    ...["--escalate", `${big.url}/v1`],
  );
  for (const question of asked) {
    const { status, body } = await ask(small.url, question);
    const [{ sep: said, message }] = body.choices;
    expect(status).toBe(200);
    expect(message.content.length).toBeGreaterThan(0);
    expect([said.action, said.answered_by, question]).toEqual(
      isEscalated.get(question) ? ["escalated", "big", question] : [null, undefined, question],
    );
  }
  const metrics = await (await fetch(`${big.url}/metrics`)).text();
  expect(metrics).toMatch(
    new RegExp(`sep_requests_total\\{[^}]*chat[^}]*status="200"[^}]*\\} ${escalated.length}\\n`),
  );
  await big[Symbol.asyncDispose]();
  for (const question of asked.slice(0, 8)) {
    const { status, body } = await ask(small.url, question);
    expect([status, body.error?.code]).toEqual(
      isEscalated.get(question) ? [502, "server-unreachable"] : [200, undefined],
    );
  }
  expect(JSON.parse(await readFile(workspace.route, "utf8")).test.question_count).toBeGreaterThan(0);
});
