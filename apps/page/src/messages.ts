/** What page and worker tell each other; everything is plain data. */

/** Where the model is computed; `auto` takes the faster one. */
export type EngineChoice = "auto" | "webgpu" | "wasm";

export type Request =
  /** `files` are those of a model that the reader has chosen; null for the page's own. */
  | { readonly kind: "open"; readonly engine: EngineChoice; readonly files: readonly File[] | null }
  | { readonly kind: "ask"; readonly id: number; readonly question: string; readonly seed: number }
  /** Draws continuations behind a token of the answer; -1 is the prompt's last token. */
  | { readonly kind: "fork"; readonly id: number; readonly at: number }
  /** Reads every layer's next token there. */
  | { readonly kind: "look"; readonly id: number; readonly at: number }
  | { readonly kind: "stop" };

export type Reply =
  | { readonly kind: "progress"; readonly loaded: number; readonly total: number; readonly step: string }
  | { readonly kind: "ready"; readonly engine: EngineInfo }
  | ({ readonly kind: "token"; readonly id: number } & Token)
  | ({ readonly kind: "reading"; readonly id: number } & Reading)
  | ({ readonly kind: "answered"; readonly id: number } & Verdict)
  | ({ readonly kind: "forked"; readonly id: number } & Fork)
  | ({ readonly kind: "looked"; readonly id: number } & Look)
  /** `id` is that of the answer; null if there is no engine. */
  | { readonly kind: "failed"; readonly id: number | null; readonly reason: string };

/** The engine once it is open. */
export interface EngineInfo {
  readonly model: string;
  readonly parameters: number;
  readonly layers: number;
  readonly device: "webgpu" | "wasm";
  /** Why that one, in words. */
  readonly because: string;
  /** null for a chosen model without one. */
  readonly probe: ProbeInfo | null;
  readonly study: StudyInfo;
}

export interface ProbeInfo {
  readonly place: string;
  readonly layer: number;
  /** Whether risks are calibrated probabilities; else they are the probe's own scores. */
  readonly isCalibrated: boolean;
  /** Of a sampled answer that may be given, by the study's own target; null if it has none. */
  readonly threshold: number | null;
}

export interface StudyInfo {
  readonly calibrationQuestions: number;
  /** What each threshold promises, by rising threshold, in the units of the risks that are shown. */
  readonly curve: readonly CurvePoint[];
  readonly examples: readonly string[];
  readonly blindSpots: readonly { readonly question: string; readonly answer: string }[];
}

export interface CurvePoint {
  readonly threshold: number;
  /** At most this share of answers is given and wrong. */
  readonly risk: number;
  /** At least this share of answers is given. */
  readonly coverage: number;
}

export interface Token {
  readonly index: number;
  /** What it adds to the answer's text; empty while a character is incomplete. */
  readonly delta: string;
  /** The token itself. */
  readonly text: string;
  /** Nats. */
  readonly logprob: number;
}

/** What the probes say at a token; -1 is the prompt's last one. */
export interface Reading {
  readonly index: number;
  /** Of the study's probe, as if the answer had the probe's place here; null where it reads nothing. */
  readonly risk: number | null;
  /** By layer, of the probe for that layer; null for a layer that no probe could be fitted on. */
  readonly layers: readonly (number | null)[];
}

export interface Verdict {
  readonly text: string;
  /** What it says after its reasoning. */
  readonly finalText: string;
  /** Where the answer's own risk was read; null if it has no such token. */
  readonly readAt: number | null;
  readonly risk: number | null;
  /** Whether the state is unlike those of the training questions. */
  readonly isUnfamiliar: boolean;
  readonly finishReason: "stop" | "length";
  readonly tokensPerSecond: number;
}

/** Continuations behind a token, and what they mean. */
export interface Fork {
  readonly at: number;
  readonly samples: readonly {
    /** From the token behind the fork on. */
    readonly tokens: readonly string[];
    readonly answer: string | null;
    readonly meaning: number;
  }[];
  /** Probability of each meaning. */
  readonly probabilities: readonly number[];
  readonly equivalence: "math" | "exact";
  /** Nats. */
  readonly semanticEntropy: number;
  readonly durationMs: number;
}

/** What each layer would say next. */
export interface Look {
  readonly at: number;
  /** By layer, from the embeddings to the last one, whose tokens are the model's own distribution. */
  readonly layers: readonly (readonly { readonly text: string; readonly probability: number }[])[];
}
