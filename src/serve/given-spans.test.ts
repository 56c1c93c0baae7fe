import { afterAll, beforeAll, expect, it } from "vitest";
import { asking, probeOf } from "../../test/fakes/model-probe.ts";
import { liveModelOf } from "../backends/local/local-backend.ts";
import { loadModel } from "../checkpoint/load-model.ts";
import type { LanguageModel } from "../engine/language-model.ts";
import { createServer } from "./create-server.ts";
import type { RiskResult } from "./risk-routes.ts";

const ANSWER = "<think>\n8-9\n</think>\n\n\\boxed{39}";
const GIVEN = { question: "What is 48 - 19?", answer: ANSWER };

let pocket: LanguageModel;
let server: ReturnType<typeof createServer>;
beforeAll(async () => {
  pocket = await loadModel("pocket", { threads: 1 });
  const probe = probeOf(pocket, "second-to-last", { asking: asking({ prompt_format: "chat" }) });
  server = createServer({
    live: liveModelOf(pocket),
    probes: [{ name: "after", sha256: "a".repeat(64), probe }],
  });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await pocket[Symbol.asyncDispose]();
});

const post = (body: object): Promise<Response> =>
  Promise.resolve(
    server.app.request("/v1/risk", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    }),
  );

it("says the risk of stretches that the request names, beside that of sentences", async () => {
  const alone = (await (await post({ ...GIVEN, tokens: true, spans: true })).json()) as RiskResult;
  const spans = [
    [0, 7],
    [ANSWER.indexOf("\\boxed"), ANSWER.length],
  ];
  const response = await post({ inputs: [{ ...GIVEN, spans }, GIVEN], spans: true });
  const [first, second] = ((await response.json()) as { readonly data: RiskResult[] }).data;
  const ofKind = (kind: string) => first?.spans?.filter((span) => span.kind === kind);
  expect(ofKind("sentence")).toEqual(alone.spans);
  expect(second?.spans).toEqual(alone.spans);
  // "<think>" is one token, and the answer's end is that of its last sentence
  expect(ofKind("given")).toMatchObject([
    { start: 0, end: 7, score: alone.tokens?.[0]?.score },
    { end: ANSWER.length, score: alone.spans?.at(-1)?.score },
  ]);
  const named = (await (await post({ ...GIVEN, spans })).json()) as RiskResult;
  expect(named.spans).toEqual(ofKind("given"));
});

it.each([
  [{ ...GIVEN, spans: [[3, 999]] }, "spans[0]"],
  [
    {
      ...GIVEN,
      spans: [
        [0, 3],
        [5, 5],
      ],
    },
    "spans[1]",
  ],
  [{ inputs: [GIVEN], spans: [[0, 3]] }, "spans"],
  [{ ...GIVEN, spans: [[3]] }, "spans"],
])("refuses %j by the field's name", async (body, param) => {
  const response = await post(body);
  expect([response.status, await response.json()]).toMatchObject([400, { error: { param } }]);
});
