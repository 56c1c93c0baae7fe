import { describe, expect, it } from "vitest";
import type { Fork, Reply } from "./messages.ts";
import { type Action, initialState, readLink, reduce, type State, writeLink } from "./state.ts";

const stateAfter = (...actions: readonly Action[]): State =>
  actions.reduce(reduce, initialState(readLink("")));
const reply = (message: Reply): Action => ({ kind: "reply", reply: message });
const asked = (id: number, question = "What is 1 + 1?"): Action => ({
  kind: "asked",
  id,
  question,
  seed: 42,
});
const token = (id: number, index: number): Action =>
  reply({ kind: "token", id, index, delta: "a", text: "a", logprob: -1 });
const fork = (at: number): Fork => ({
  at,
  samples: [],
  probabilities: [],
  equivalence: "math",
  semanticEntropy: 0,
  durationMs: 1,
});

describe("links", () => {
  it("hold the whole state, and leave out what is as usual", () => {
    const link = {
      question: "47 + 85 = ?&#",
      seed: 7,
      at: -1,
      layer: 0,
      threshold: 0.25,
      engine: "wasm",
    } as const;
    expect(readLink(`#${writeLink(link)}`)).toEqual(link);
    expect(writeLink(readLink(""))).toBe("");
  });

  it.each([
    ["seed=-1", { seed: 42 }],
    ["seed=1.5", { seed: 42 }],
    ["token=-2", { at: null }],
    ["token=", { at: null }],
    ["layer=NaN", { layer: null }],
    ["threshold=2", { threshold: 1 }],
    ["threshold=x", { threshold: null }],
    ["engine=cuda", { engine: "auto" }],
  ])("take nonsense for what is usual: %s", (fragment, expected) => {
    expect(readLink(fragment)).toMatchObject(expected);
  });
});

describe("the state", () => {
  it("drops what belongs to an earlier answer", () => {
    const state = stateAfter(asked(1), token(1, 0), asked(2, "Other?"), token(1, 1), token(2, 0));
    expect(state.answer?.tokens.map(({ index }) => index)).toEqual([0]);
    expect(state.answer?.question).toBe("Other?");
  });

  it("drops continuations of a token that is no longer selected", () => {
    const select = (at: number): Action => ({ kind: "selected", at, layer: null });
    const forked = reply({ kind: "forked", id: 1, ...fork(3) });
    expect(stateAfter(asked(1), select(3), forked).fork?.at).toBe(3);
    expect(stateAfter(asked(1), select(4), forked).fork).toBeNull();
    expect(stateAfter(asked(1), select(3), forked, select(4)).fork).toBeNull();
    expect(stateAfter(asked(1), select(3), forked, { kind: "selected", at: 3, layer: 2 }).fork?.at).toBe(3);
  });

  it("keeps a link's token for the link's own answer only", () => {
    const linked = { ...initialState(readLink("q=A&token=5")) };
    const first = reduce(linked, asked(1, "A"));
    expect(first.link.at).toBe(5);
    expect(reduce(first, asked(2, "A")).link.at).toBeNull();
    expect(reduce(linked, asked(1, "B")).link.at).toBeNull();
  });

  it("begins again with another model, and asks it the same question", () => {
    const before = stateAfter(asked(1, "A"), { kind: "selected", at: 3, layer: 2 });
    const own = reduce(before, { kind: "reopened", isOwn: true });
    expect(own).toMatchObject({ isOwn: true, answer: null, fork: null, engine: { phase: "loading" } });
    expect(own.link).toMatchObject({ question: "A", seed: 42, at: null, layer: null });
    expect(reduce(own, { kind: "reopened", isOwn: false }).isOwn).toBe(false);
  });

  it("says why there is no engine, whatever else is there", () => {
    const progress = reply({ kind: "progress", loaded: 1, total: 2, step: "Downloading" });
    const failed = stateAfter(
      asked(1),
      progress,
      reply({ kind: "failed", id: null, reason: "no memory" }),
      progress,
    );
    expect(failed.engine).toEqual({ phase: "failed", reason: "no memory" });
    expect(failed.answer?.failure).toBeNull();
    expect(stateAfter(asked(1), reply({ kind: "failed", id: 1, reason: "Stopped." })).answer?.failure).toBe(
      "Stopped.",
    );
  });
});
