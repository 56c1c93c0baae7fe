import type { Hono } from "hono";
import { z } from "zod";
import type { RouteParts } from "./answer-routes.ts";
import { ApiError } from "./api-error.ts";
import { readJson } from "./read-json.ts";
import { assessInput } from "./risk-routes.ts";
import { findProbe } from "./served-probe.ts";

const CONTENT = z
  .union([z.string(), z.array(z.object({ text: z.string().optional() }).loose())])
  .nullish()
  .transform((content) =>
    typeof content === "string" ? content : (content ?? []).map(({ text = "" }) => text).join(""),
  );

const BODY = z.object({
  texts: z.array(z.string()).nullish(),
  input_type: z.enum(["request", "response"]),
  structured_messages: z.array(z.object({ role: z.string(), content: CONTENT }).loose()).nullish(),
  litellm_call_id: z.string().nullish(),
  additional_provider_specific_params: z
    .object({ probe: z.string().optional(), decide: z.enum(["risk", "coverage"]).optional() })
    .loose()
    .nullish(),
});

type Messages = readonly { readonly role: "system" | "user" | "assistant"; readonly content: string }[];

/** What is kept of requests whose responses may still come, in UTF-16 units: thousands of calls. */
const KEPT_CHARACTERS = 16 * 1024 * 1024;

/**
 * `POST /beta/litellm_basic_guardrail_api`: a guardrail for LiteLLM's proxy. It sees texts only, which the server's model
 * reads. A response is blocked where the probe says to abstain; so is a request, by a probe that reads before-generation.
 * LiteLLM sends a response without its request, so the guardrail has to see both (modes `pre_call` and `post_call`).
 * @see LiteLLM's documentation, "Generic guardrail API"
 */
export function addGuardrailRoute(app: Hono, parts: RouteParts): void {
  const asked = createCallMemory(KEPT_CHARACTERS);
  app.post("/beta/litellm_basic_guardrail_api", async (c) => {
    const body = BODY.parse(await readJson(c));
    const { probe: name, decide } = body.additional_provider_specific_params ?? {};
    const served = findProbe(parts.probes, name);
    const isRequest = body.input_type === "request";
    const texts = body.texts ?? [];
    const call = body.litellm_call_id ?? "";
    const messages = readMessages(body, isRequest) ?? asked.recall(call);
    if (isRequest && messages !== undefined && call !== "") asked.remember(call, messages);
    if (isRequest !== (served.probe.position === "before-generation")) return c.json({ action: "NONE" });
    if (messages === undefined)
      throw new ApiError(
        400,
        "The response came without its request, and a risk is that of an answer to a question. Give this guardrail the modes pre_call and post_call.",
        { param: "structured_messages", code: "request_unknown" },
      );
    const inputs = isRequest
      ? [{ messages: [...messages] }]
      : texts.map((answer) => ({ messages: [...messages], answer }));
    for (const input of inputs) {
      const result = await assessInput(parts, served, input, { decide, signal: c.req.raw.signal });
      if (result.decision === "abstain")
        return c.json({
          action: "BLOCKED",
          blocked_reason: `The probe ${served.name} ${
            result.risk === null ? "does not vouch for" : `gives a risk of ${result.risk.toFixed(3)} to`
          } this ${isRequest ? "question" : "answer"}: ${result.guarantee}`,
        });
    }
    return c.json({ action: "NONE" });
  });
}

/** The conversation that was asked; a request without messages is one question. */
function readMessages(
  { structured_messages: structured, texts }: z.output<typeof BODY>,
  isRequest: boolean,
): Messages | undefined {
  const messages = (structured ?? []).flatMap(({ role, content }): Messages => {
    const known = ROLES.find((name) => name === role);
    return known === undefined ? [] : [{ role: known, content }];
  });
  if (messages.length > 0) return messages;
  return isRequest ? [{ role: "user", content: (texts ?? []).join("\n") }] : undefined;
}

const ROLES = ["system", "user", "assistant"] as const;

/**
 * Keeps the messages of the latest calls. A response does not end its call: LiteLLM sends one that is streamed several
 * times, each time with more of its text.
 */
function createCallMemory(most: number): {
  remember(call: string, messages: Messages): void;
  recall(call: string): Messages | undefined;
} {
  const calls = new Map<string, Messages>();
  let kept = 0;
  const forget = (call: string): void => {
    kept -= sizeOf(calls.get(call) ?? []);
    calls.delete(call);
  };
  return {
    remember(call, messages) {
      forget(call);
      calls.set(call, messages);
      kept += sizeOf(messages);
      for (const oldest of calls.keys()) {
        if (kept <= most) return;
        if (oldest !== call) forget(oldest);
      }
    },
    recall: (call) => calls.get(call),
  };
}

/** A message takes memory even without a text. */
const MESSAGE_SIZE = 64;

const sizeOf = (messages: Messages): number =>
  messages.reduce((sum, { content }) => sum + MESSAGE_SIZE + content.length, 0);
