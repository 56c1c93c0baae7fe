/** Every code a {@link SepError} can carry. Each has a row in `docs/errors.md`. */
export const SEP_ERROR_CODES = [
  "bad-option",
  "bad-question-file",
  "bad-artifact",
  "missing-input",
  "output-locked",
  "output-differs",
  "model-not-found",
  "unsupported-model",
  "bad-checkpoint",
  "bad-tokenizer",
  "prompt-too-long",
  "probe-mismatch",
  "too-few-questions",
  "interrupted",
  "not-json",
  "one-class",
  "gated-model",
  "revision-not-found",
  "hub-file-missing",
  "hub-token-refused",
  "hub-unreachable",
  "model-not-cached",
  "no-safetensors",
  "download-damaged",
  "disk-full",
  "cache-not-writable",
  "device-unavailable",
  "model-too-large",
  "bad-nli-model",
  "judge-failed",
  "bad-clusters-file",
  "bad-span-file",
  "bad-labels-file",
  "dataset-not-cached",
  "unknown-runs-format",
  "bad-notebook",
  "no-such-cell",
  "stale-revision",
  "kernel-died",
  "no-results",
  "port-taken",
  "server-unreachable",
  "server-refused",
  "server-mismatch",
  "no-logprobs",
  "bad-states",
  "launch-failed",
  "python-missing",
  "nnsight-missing",
  "out-of-memory",
  "sidecar-failed",
  "shards-missing",
  "shards-differ",
  "stale-input",
  "permission-denied",
  "is-a-folder",
  "not-a-folder",
  "too-many-open-files",
  "output-closed",
  "not-text",
  "figures-unavailable",
  "unsafe-folder",
  "hostile-model",
  "bad-backend",
  "package-missing",
  "answer-needed",
  "bad-path",
  "disk-failed",
  "answer-withheld",
  "bad-split",
  "not-comparable",
] as const;

export type SepErrorCode = (typeof SEP_ERROR_CODES)[number];

/**
 * The one error class of this package. The message says what went wrong, what was got against what was
 * expected, and what to do; `code` is stable and listed in `docs/errors.md`.
 */
export class SepError extends Error {
  readonly code: SepErrorCode;

  constructor(code: SepErrorCode, message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.name = "SepError";
    this.code = code;
  }
}
