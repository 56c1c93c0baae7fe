import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { servedProbes } from "../../test/fakes/serve-stage.ts";
import { composeLive } from "../backends/compose-live.ts";
import type { LiveModel } from "../backends/live-model.ts";
import { createLocalBackend } from "../backends/local/local-backend.ts";
import { loadModel } from "../checkpoint/load-model.ts";
import type { LanguageModel } from "../engine/language-model.ts";
import { drain } from "../net/map-concurrently.ts";
import { type CreateServerOptions, createServer } from "./create-server.ts";

const MESSAGES = [{ role: "user", content: "What is 48 - 19?" }];

let pocket: LanguageModel;
let live: LiveModel;
beforeAll(async () => {
  pocket = await loadModel("pocket", { threads: 1 });
  const { openSampler, openReader, ...parts } = createLocalBackend(pocket);
  live = await drain(composeLive({ ...parts, openSampler }, { ...parts, openReader }).openLive());
});
afterAll(async () => {
  await live[Symbol.asyncDispose]();
  await pocket[Symbol.asyncDispose]();
});

interface Choice {
  readonly message: { readonly content: string };
  readonly delta: { readonly content?: string };
  readonly sep?: { readonly tokens?: readonly { readonly index: number }[]; readonly action?: string };
}

async function ask(changes: Partial<CreateServerOptions>, body: object): Promise<readonly Choice[]> {
  await using server = createServer({ live, probes: servedProbes(pocket), ...changes });
  const response = await server.app.request("/v1/chat/completions", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ messages: MESSAGES, ...body }),
  });
  const text = await response.text();
  if (!text.startsWith("data: ")) return JSON.parse(text).choices;
  return text
    .split("\n\n")
    .filter((event) => event.startsWith("data: {"))
    .flatMap((event) => JSON.parse(event.slice("data: ".length)).choices);
}
const textOf = (choices: readonly Choice[]): string =>
  choices.map(({ delta }) => delta.content ?? "").join("");

describe("a backend whose states come after an answer's tokens", () => {
  it("streams the risk of every token all the same, at the end", async () => {
    const [whole] = await ask({}, { sep: { tokens: true } });
    const chunks = await ask({}, { stream: true });
    expect(textOf(chunks)).toBe(whole?.message.content);
    const indices = (choices: readonly Choice[]) =>
      choices.flatMap(({ sep }) => sep?.tokens?.map(({ index }) => index) ?? []);
    expect(indices([whole as Choice]).length).toBeGreaterThan(5);
    expect(indices(chunks)).toEqual(indices([whole as Choice]));
  });

  it.each(["before", "after"])(
    "shows nothing of an answer that is withheld by the probe %s",
    async (probe) => {
      const policy = { name: "abstain", abstainText: "No." } as const;
      const chunks = await ask({ policy }, { stream: true, sep: { probe } });
      expect(textOf(chunks)).toBe("No.");
      expect(chunks.at(-1)?.sep?.action).toBe("withheld");
      const given = { policy, probes: servedProbes(pocket, { threshold: 1 }) };
      expect(textOf(await ask(given, { stream: true, sep: { probe } }))).toContain("boxed");
    },
  );
});
