import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { OpeningEvent } from "../../checkpoint/opening-event.ts";
import type { Json } from "../../formats/json.ts";
import { type ChooseDtypeOptions, type DtypeChoice, openWithChosenDtype } from "./choose-dtype.ts";

const CHECKPOINT = fileURLToPath(new URL("../../../test/golden/checkpoints/qwen3-tied", import.meta.url));
const prompt = (tokenIds: readonly number[]) => ({ text: "", tokenIds, opensReasoning: false });
const PROMPTS = [prompt([5, 6, 7]), prompt([8, 9, 10, 11])];

let cache: string;
beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), "sep-dtype-"));
  vi.stubEnv("SEP_CACHE", cache);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(cache, { recursive: true, force: true });
});

describe("openWithChosenDtype", () => {
  it("takes int8 if it is within the bound, and float32 if not", async () => {
    const none = await choose({ bound: 0 });
    expect(none.dtype).toBe("float32");
    expect(none.choice).toMatchObject({ reason: "divergence", dtype: "float32", bound: 0, prompts: 2 });
    const { divergence } = none.choice as Required<DtypeChoice>;
    expect(divergence).toBeGreaterThan(0);
    // two prompts, and at most 32 tokens of each answer
    expect(none.choice?.tokens).toBeGreaterThan(2);
    expect(none.choice?.tokens).toBeLessThanOrEqual(64);

    expect(await choose({ bound: divergence * 0.99 })).toMatchObject({ dtype: "float32" });
    const near = await choose({ bound: divergence * 1.01 });
    expect(near.dtype).toBe("int8");
    expect(near.choice).toMatchObject({ dtype: "int8", divergence });
  });

  it("says what it measures, and what came out", async () => {
    const { events, choice } = await choose({ bound: 0 });
    const started = events.filter(({ kind }) => kind === "started");
    expect(started.map(({ step, part }) => `${step} ${part}`)).toEqual(
      ["float32", "int8"].map((dtype) => `dtype ${CHECKPOINT} ${dtype}`),
    );
    expect(events.filter(({ kind }) => kind === "advanced")).toHaveLength(2 * PROMPTS.length);
    expect(events.at(-1)).toMatchObject({
      kind: "note",
      message: expect.stringMatching(
        /^auto is float32\. int8's KL divergence from float32 is \S+ nats per token, and at most 0 is allowed \(\d+ tokens/,
      ),
    });
    expect(events.at(-1)).toMatchObject({ message: expect.stringContaining(`(${choice?.tokens} tokens`) });
  });

  it("measures the same prompts once, and others again", async () => {
    const first = await choose({ bound: 0 });
    const again = await choose({ bound: 0 });
    expect(again.choice).toEqual(first.choice);
    expect(again.events.map(({ kind }) => kind)).toEqual(["note"]);
    const others = await choose({ bound: 0 }, { promptsOf: async () => PROMPTS.slice(1) });
    expect(others.choice?.prompts).toBe(1);
    expect(others.events.some(({ kind }) => kind === "started")).toBe(true);
  });

  it("measures sixteen prompts at most, and none that leaves no room for an answer", async () => {
    const long = prompt(Array.from({ length: 480 + 1 }, () => 5));
    const many = [long, ...Array.from({ length: 20 }, (_, i) => prompt([5, 6, i]))];
    const { choice } = await choose({ bound: 1 }, { promptsOf: async () => many });
    expect(choice).toMatchObject({ dtype: "int8", prompts: 16 });
    const none = await choose({ bound: 1 }, { promptsOf: async () => [long] });
    expect(none.choice).toEqual({ dtype: "float32", reason: "no-prompts" });
  });

  it("takes float32 for a small model, and asks for no prompts", async () => {
    const promptsOf = vi.fn(async () => PROMPTS);
    const { choice, dtype, events } = await choose(undefined, { promptsOf });
    expect({ choice, dtype, events }).toEqual({
      choice: { dtype: "float32", reason: "small" },
      dtype: "float32",
      events: [],
    });
    expect(promptsOf).not.toHaveBeenCalled();
  });

  it("keeps what answers of the same weights were sampled with, and its record", async () => {
    const choice: DtypeChoice = { dtype: "int8", reason: "divergence", divergence: 0.001 };
    const { identity } = await choose({ bound: 0 });
    const recorded = { dtype: "int8", weightsSha256: String(identity.weights_sha256), choice } as const;
    const kept = await choose({ bound: 0 }, { recorded });
    expect(kept).toMatchObject({ dtype: "int8", choice, events: [] });
    const given = await choose({ bound: 0 }, { recorded: { ...recorded, dtype: "int4", choice: null } });
    expect(given).toMatchObject({ dtype: "int4", choice: null });
    expect(given.events).toMatchObject([
      { kind: "note", message: "int4, with which the study's answers were sampled so far" },
    ]);
    const other = await choose({ bound: 0 }, { recorded: { ...recorded, weightsSha256: "another model" } });
    expect(other).toMatchObject({ dtype: "float32", choice: { reason: "divergence" } });
  });

  it("measures nothing for a plan, and uses what is known", async () => {
    const plan = await choose({ bound: 0.5 }, { measures: false });
    expect(plan.choice).toEqual({ dtype: "float32", reason: "not-measured" });
    expect(plan.events.map(({ kind }) => kind)).toEqual(["note"]);
    const { choice } = await choose({ bound: 0.5 });
    expect((await choose({ bound: 0.5 }, { measures: false })).choice).toEqual(choice);
  });
});

/** @param rule with a bound, the model counts as large */
async function choose(
  rule: { readonly bound: number } | undefined,
  options: Partial<ChooseDtypeOptions> = {},
): Promise<{
  readonly dtype: Json | undefined;
  readonly identity: Readonly<Record<string, Json>>;
  readonly choice: DtypeChoice | null;
  readonly events: readonly OpeningEvent[];
}> {
  const opening = openWithChosenDtype(
    CHECKPOINT,
    { threads: 1 },
    {
      recorded: null,
      promptsOf: async () => PROMPTS,
      measures: true,
      rule: rule && { ...rule, fromBytes: 0 },
      ...options,
    },
  );
  const events: OpeningEvent[] = [];
  for (;;) {
    const next = await opening.next();
    if (!next.done) {
      events.push(next.value);
      continue;
    }
    const { engine, choice } = next.value;
    const identity = engine.answers.identity as Readonly<Record<string, Json>>;
    await engine[Symbol.asyncDispose]();
    return { dtype: identity.dtype, identity, choice, events };
  }
}
