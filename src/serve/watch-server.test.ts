import { type LogRecord, logs } from "@opentelemetry/api-logs";
import { afterAll, afterEach, beforeAll, expect, it, vi } from "vitest";
import { servedProbes } from "../../test/fakes/serve-stage.ts";
import type { LiveModel } from "../backends/live-model.ts";
import { liveModelOf } from "../backends/local/local-backend.ts";
import { loadModel } from "../checkpoint/load-model.ts";
import type { LanguageModel } from "../engine/language-model.ts";
import { SepError } from "../errors.ts";
import { createServer, type RiskServer } from "./create-server.ts";
import { createScoreDrift } from "./drift.ts";

const QUESTION = "What is 48 - 19?";

let pocket: LanguageModel;
beforeAll(async () => {
  pocket = await loadModel("pocket", { threads: 1 });
});
afterAll(() => pocket[Symbol.asyncDispose]());
afterEach(() => {
  logs.disable();
  vi.restoreAllMocks();
});

const ask = (server: RiskServer): Promise<Response> =>
  Promise.resolve(
    server.app.request("/v1/chat/completions", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ messages: [{ role: "user", content: QUESTION }] }),
    }),
  );

it("emits an OpenTelemetry event for a judged answer, with nothing of its text", async () => {
  const records: LogRecord[] = [];
  logs.setGlobalLoggerProvider({
    getLogger: () => ({ emit: (record) => records.push(record), enabled: () => true }),
  });
  await using server = createServer({ live: liveModelOf(pocket), probes: servedProbes(pocket) });
  const answer = (await (await ask(server)).json()) as {
    readonly id: string;
    readonly choices: readonly [
      {
        readonly message: { readonly content: string };
        readonly sep: { readonly risk: number; readonly guarantee: string };
      },
    ];
  };
  const [{ sep, message }] = answer.choices;
  expect(records).toMatchObject([
    {
      eventName: "gen_ai.evaluation.result",
      attributes: {
        "gen_ai.evaluation.name": "after",
        "gen_ai.evaluation.score.value": sep.risk,
        "gen_ai.evaluation.score.label": "abstain",
        "gen_ai.evaluation.explanation": sep.guarantee,
        "gen_ai.response.id": answer.id,
      },
    },
  ]);
  for (const text of [QUESTION, message.content]) expect(JSON.stringify(records)).not.toContain(text);
});

it.each([
  ["nobody foresaw", new TypeError(`no token for ${QUESTION}`), 500, /^TypeError\n {4}at /],
  [
    "another server's words are in",
    new SepError("server-refused", `It answered 400: ${QUESTION}.`, { cause: new Error(QUESTION) }),
    502,
    /^SepError server-refused < Error\n {4}at /,
  ],
])(
  "logs the kind and the place of a failure that %s, not its message",
  async (_what, failure, status, line) => {
    const log = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const live: LiveModel = {
      ...liveModelOf(pocket),
      async *generate() {
        throw failure;
      },
    };
    await using server = createServer({ live, probes: servedProbes(pocket) });
    expect((await ask(server)).status).toBe(status);
    expect(log).toHaveBeenCalledOnce();
    const logged = String(log.mock.calls[0]?.[0]);
    expect(logged).toMatch(line);
    expect(logged).not.toContain(QUESTION);
  },
);

it("measures how far scores have moved from those of the validation questions, from 200 on", () => {
  const score_deciles = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];
  const drift = createScoreDrift({ score_deciles });
  for (let i = 0; i < 199; i++) drift.add((i % 10) / 10 + 0.05);
  expect(drift.index()).toBeNull();
  drift.add(0.95);
  // twenty scores in each of the ten bins
  expect(drift.index()).toBeCloseTo(0, 12);
  for (let i = 0; i < 1000; i++) drift.add(0.95);
  // the latest 1000 are all in the last bin: half a score counts as each of the nine shares of zero
  const empty = 0.5 / 1000;
  const expected = 9 * (empty - 0.1) * Math.log(empty / 0.1) + 0.9 * Math.log(10);
  expect(drift.index()).toBeCloseTo(expected, 12);
  expect(createScoreDrift({ score_deciles: null }).index()).toBeNull();
});
