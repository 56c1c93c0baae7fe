import {
  PLAIN_PROMPT_FORMATS,
  type PromptFormat,
  resolvePromptFormat,
} from "../engine/tokenizer/prompt-format.ts";
import type { TextTokenizer } from "../engine/tokenizer/text-tokenizer.ts";
import { SepError } from "../errors.ts";
import { type Json, stableStringify } from "../formats/json.ts";
import { fingerprint } from "../store/fingerprint.ts";

/** What of a format decides the prompts; contents by their hash, so that no path counts. */
export function describePromptFormat(format: PromptFormat): Json {
  if (typeof format === "string") return format;
  if (format.kind === "template") return { kind: "template", sha256: fingerprint(format.template.text) };
  const shots = format.shots.map(({ context, question, answer }) => ({
    ...(context === undefined ? {} : { context }),
    question,
    answer,
  }));
  return { kind: "few-shot", shots: shots.length, sha256: fingerprint(stableStringify(shots)) };
}

/**
 * The prompt format of a record, which has only a hash of few-shot prompts and templates.
 * @param given needed for those, and checked if given for others
 * @param made  what was made with them, in words: "Probe was fitted on prompts"
 * @throws SepError `bad-option` if it is needed and not given, `probe-mismatch` if it is another one
 */
export function matchPromptFormat(
  tokenizer: Pick<TextTokenizer, "renderChat">,
  recordedFormat: Json,
  given: PromptFormat | undefined,
  made: string,
): PromptFormat {
  const recorded = PLAIN_PROMPT_FORMATS.find((name) => name === recordedFormat);
  if (given === undefined) {
    if (recorded !== undefined) return recorded;
    throw new SepError(
      "bad-option",
      `${made} of which it records only a hash: ${stableStringify(recordedFormat)}. Give the same shots with --prompt-format few-shot --shots FILE, or the same template with --prompt-format FILE.`,
    );
  }
  const described = stableStringify(describePromptFormat(resolvePromptFormat(given, tokenizer)));
  if (described === stableStringify(recordedFormat)) return given;
  throw new SepError(
    "probe-mismatch",
    `${made} of ${stableStringify(recordedFormat)}, got ${described}. Leave out the prompt format, or refit with \`sep train\`.`,
  );
}
