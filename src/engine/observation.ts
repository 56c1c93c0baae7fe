import { type Json, stableStringify } from "../formats/json.ts";

/** Whose states: of a model that reads what another one wrote, or of one that generates. */
export type StateMode = "observer" | "generator";

/** How an observer was prompted before it read an answer, as manifests record prompts. */
export interface ReadingPrompt {
  /** A format's name, or for few-shot prompts and templates a hash of their text. */
  readonly prompt_format: Json;
  readonly system_prompt: string | null;
  readonly enable_thinking: boolean | null;
}

/** What the states of an observer record beside what all states do; the model of the record is the one that reads. */
export interface Observation {
  /** The models that wrote the answers. */
  readonly writer: string;
  readonly prompt: ReadingPrompt;
}

/** An observation by the keys of a trace's metadata; states without them are a generator's. */
export const describeObservation = ({ writer, prompt }: Observation): Readonly<Record<string, string>> => ({
  mode: "observer",
  writer,
  observer_prompt: stableStringify(prompt as unknown as Json),
});

type Source = Readonly<Record<string, string>>;

export const modeOf = ({ mode }: Source): StateMode => (mode === "observer" ? mode : "generator");

/** @returns null for the states of a generator */
export function observationOf(source: Source): Observation | null {
  if (modeOf(source) === "generator") return null;
  const { writer = "unknown models", observer_prompt: prompt } = source;
  return { writer, prompt: prompt === undefined ? UNKNOWN_PROMPT : (JSON.parse(prompt) as ReadingPrompt) };
}

/** Of states that were declared by hand. */
const UNKNOWN_PROMPT: ReadingPrompt = { prompt_format: "auto", system_prompt: null, enable_thinking: null };

/** "pocket reads what SmolLM2 wrote"; null for the states of a generator. */
export function nameObserver(source: Source): string | null {
  const observed = observationOf(source);
  return observed === null ? null : `${source.model ?? "a model"} reads what ${observed.writer} wrote`;
}
