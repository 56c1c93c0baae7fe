import type { PromptFormat } from "../engine/tokenizer/prompt-format.ts";
import { type Json, stableStringify } from "../formats/json.ts";
import { fingerprint } from "../store/fingerprint.ts";

/** What of a format decides the prompts; contents by their hash, so that no path counts. */
export function describePromptFormat(format: PromptFormat): Json {
  if (typeof format === "string") return format;
  if (format.kind === "template") return { kind: "template", sha256: fingerprint(format.template.text) };
  const shots = format.shots.map(({ question, answer }) => ({ question, answer }));
  return { kind: "few-shot", shots: shots.length, sha256: fingerprint(stableStringify(shots)) };
}
