import type { EngineChoice, EngineInfo, Fork, Look, Reading, Reply, Token, Verdict } from "./messages.ts";

/** All that the page shows. */
export interface State {
  readonly link: Link;
  /** Whether the reader has chosen a model of their own, which no link can hold. */
  readonly isOwn: boolean;
  readonly engine:
    | {
        readonly phase: "loading";
        readonly step: string;
        readonly share: number | null;
        readonly bytes: number;
      }
    | { readonly phase: "ready"; readonly info: EngineInfo }
    | { readonly phase: "failed"; readonly reason: string };
  readonly answer: Answer | null;
  /** What was asked of the selected token and has come. */
  readonly fork: Fork | null;
  readonly look: Look | null;
}

/** What a link holds: the same link gives the same page. */
export interface Link {
  readonly question: string;
  readonly seed: number;
  /** The selected token, -1 for the prompt's last one; null for none. */
  readonly at: number | null;
  /** The selected layer of the map; null for the probe's own. */
  readonly layer: number | null;
  /** The highest risk at which an answer is given; null for the study's own. */
  readonly threshold: number | null;
  readonly engine: EngineChoice;
}

export interface Answer {
  /** Counts up; replies to an earlier question are dropped by it. */
  readonly id: number;
  readonly question: string;
  readonly seed: number;
  readonly tokens: readonly Token[];
  /** Of the prompt's last token and of each token; the newest may be missing. */
  readonly readings: readonly Reading[];
  readonly verdict: Verdict | null;
  /** Why there is none. */
  readonly failure: string | null;
}

export const isRunning = (answer: Answer | null): boolean =>
  answer !== null && answer.verdict === null && answer.failure === null;

/** What a person can do on the page. */
export interface Acts {
  ask(question: string): void;
  /** Asks the same question with another seed. */
  again(): void;
  stop(): void;
  /** @param layer null for the probe's own */
  select(at: number, layer: number | null): void;
  /** Selects from what is selected by now: keys may come faster than the page is drawn. */
  move(choose: (link: Link) => Pick<Link, "layer"> & { readonly at: number }): void;
  setThreshold(threshold: number): void;
  copyLink(): void;
  /** Opens a model from disk in place of the one that is open. @param files null for the page's own model */
  openModel(files: readonly File[] | null): void;
}

export type Action =
  | { readonly kind: "reply"; readonly reply: Reply }
  | { readonly kind: "asked"; readonly id: number; readonly question: string; readonly seed: number }
  | { readonly kind: "selected"; readonly at: number; readonly layer: number | null }
  | { readonly kind: "threshold"; readonly threshold: number }
  | { readonly kind: "reopened"; readonly isOwn: boolean };

export const initialState = (link: Link): State => ({
  link,
  isOwn: false,
  engine: { phase: "loading", step: "Loading", share: null, bytes: 0 },
  answer: null,
  fork: null,
  look: null,
});

/** What the page shows after something has happened. */
export function reduce(state: State, action: Action): State {
  const { link } = state;
  switch (action.kind) {
    case "asked": {
      const { id, question, seed } = action;
      const isSame = question === link.question && seed === link.seed;
      const answer: Answer = { id, question, seed, tokens: [], readings: [], verdict: null, failure: null };
      // a link's token is selected once its answer has come
      const at = isSame && state.answer === null ? link.at : null;
      return { ...state, link: { ...link, question, seed, at }, answer, fork: null, look: null };
    }
    case "selected": {
      const isSame = action.at === link.at;
      const kept = isSame ? { fork: state.fork, look: state.look } : { fork: null, look: null };
      return { ...state, ...kept, link: { ...link, at: action.at, layer: action.layer } };
    }
    case "threshold":
      return { ...state, link: { ...link, threshold: action.threshold } };
    case "reopened": {
      const { question, seed, engine } = state.link;
      const link = { question, seed, engine, at: null, layer: null, threshold: null };
      return { ...initialState(link), isOwn: action.isOwn };
    }
    case "reply":
      return receive(state, action.reply);
  }
}

function receive(state: State, reply: Reply): State {
  const { answer, link } = state;
  if (reply.kind === "progress") {
    // one of two downloads may go on after the other has failed
    if (state.engine.phase !== "loading") return state;
    const { loaded, total, step } = reply;
    return { ...state, engine: { phase: "loading", step, share: loaded / total, bytes: total } };
  }
  if (reply.kind === "ready") return { ...state, engine: { phase: "ready", info: reply.engine } };
  if (reply.kind === "failed" && reply.id === null)
    return { ...state, engine: { phase: "failed", reason: reply.reason } };
  if (answer === null || reply.id !== answer.id) return state;
  switch (reply.kind) {
    case "token":
      return { ...state, answer: { ...answer, tokens: [...answer.tokens, reply] } };
    case "reading":
      return { ...state, answer: { ...answer, readings: [...answer.readings, reply] } };
    case "answered":
      return { ...state, answer: { ...answer, verdict: reply } };
    case "failed":
      return { ...state, answer: { ...answer, failure: reply.reason } };
    case "forked":
      return reply.at === link.at ? { ...state, fork: reply } : state;
    case "looked":
      return reply.at === link.at ? { ...state, look: reply } : state;
  }
}

/** The state as a link's fragment; what is as usual is left out. */
export function writeLink({ question, seed, at, layer, threshold, engine }: Link): string {
  const fields = new URLSearchParams();
  if (question !== "") fields.set("q", question);
  if (seed !== USUAL_SEED) fields.set("seed", String(seed));
  if (at !== null) fields.set("token", String(at));
  if (layer !== null) fields.set("layer", String(layer));
  if (threshold !== null) fields.set("threshold", String(threshold));
  if (engine !== "auto") fields.set("engine", engine);
  return fields.toString();
}

/** Seed of studies, so that the same question gets the same answer there. */
const USUAL_SEED = 42;
/** Questions are typed by people. */
const LONGEST_QUESTION = 4000;

/** Reads a link's fragment; what makes no sense is as usual. */
export function readLink(fragment: string): Link {
  const fields = new URLSearchParams(fragment.replace(/^#/, ""));
  const number = (name: string, least: number): number | null => {
    const value = Number(fields.get(name) || "nothing");
    return Number.isFinite(value) && value >= least ? value : null;
  };
  const integer = (name: string, least: number): number | null => {
    const value = number(name, least);
    return Number.isSafeInteger(value) ? value : null;
  };
  const threshold = number("threshold", 0);
  const engine = fields.get("engine");
  return {
    question: (fields.get("q") ?? "").slice(0, LONGEST_QUESTION),
    seed: integer("seed", 0) ?? USUAL_SEED,
    at: integer("token", -1),
    layer: integer("layer", 0),
    threshold: threshold === null ? null : Math.min(1, threshold),
    engine: engine === "webgpu" || engine === "wasm" ? engine : "auto",
  };
}
