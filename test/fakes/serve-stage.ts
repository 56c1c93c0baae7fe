import type { LanguageModel } from "../../src/engine/language-model.ts";
import type { Probe } from "../../src/probes/probe.ts";
import {
  type CreateServerOptions,
  createServer,
  type GatedServer,
  type GateOptions,
  listenBehindGate,
  liveModelOf,
} from "../../src/serve.ts";
import { asking, probeOf } from "./model-probe.ts";

const CHAT = asking({
  prompt_format: "chat",
  sampler: { ...asking().sampler, temperature: 0, maxNewTokens: 160 },
});

/** Two probes of a model: `after` reads the answer's end, `before` the question's; they abstain above the threshold. */
export function servedProbes(
  model: LanguageModel,
  { threshold: at = 0, ...changes }: Partial<Probe> & { readonly threshold?: number } = {},
): CreateServerOptions["probes"] {
  const guarantee =
    "For a new question like the calibration questions, at most 10% of answers are given and wrong.";
  const threshold = {
    kind: "risk",
    target: 0.1,
    threshold: at,
    guarantee,
    calibration_questions: 9,
  } as const;
  const decisions = [{ kind: "risk", target: 0.1, threshold, reason: null }] as const;
  // states of the embedded model are large; so scaled, their risks are spread over [0, 1]
  const scale = new Float32Array(2 * model.config.hiddenSize).fill(60);
  const probe = (position: "second-to-last" | "before-generation"): Probe =>
    probeOf(model, position, { asking: CHAT, decisions, scale, ...changes });
  return [
    { name: "after", sha256: "a".repeat(64), probe: probe("second-to-last") },
    { name: "before", sha256: "b".repeat(64), probe: probe("before-generation") },
  ];
}

/** A server on a free port, behind its gate, as `sep serve` opens one. */
export async function stageServer(
  model: LanguageModel,
  changes: Partial<CreateServerOptions> = {},
  gate: Partial<GateOptions> = {},
): Promise<GatedServer & { /** Of OpenAI's API. */ readonly base: string }> {
  const server = createServer({ live: liveModelOf(model), probes: servedProbes(model), ...changes });
  const listening = await listenBehindGate(server.app.fetch, {
    token: null,
    maxBodyBytes: 1 << 20,
    title: "Risk",
    ...gate,
  });
  return {
    ...listening,
    base: `http://127.0.0.1:${listening.port}/v1`,
    async [Symbol.asyncDispose]() {
      await listening[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}
