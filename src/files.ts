/**
 * The entry `semantic-entropy-probes/files`, on which the notebook is built: files that are whole or not there at all,
 * what a file system refuses in plain words, and secrets that must not get into either. It loads in milliseconds.
 * @module files
 */

export { type Environment, openRedactor } from "./checkpoint/hub/hub.ts";
export { SEP_ERROR_CODES, SepError, type SepErrorCode } from "./errors.ts";
export { type Json, stableStringify } from "./formats/json.ts";
export { checkExposure, type ExposureFacts } from "./net/gate.ts";
export { type GatedServer, type GateOptions, listenBehindGate } from "./net/listen.ts";
export { errnoOf, explainFileError, makeFolder } from "./store/file-error.ts";
export { fingerprint } from "./store/fingerprint.ts";
export { readIfThere } from "./store/read-file.ts";
export { type WriteAtomicOptions, writeAtomic } from "./store/write-atomic.ts";
export { createLineRedactor, type Redactor, redactStrings } from "./text/redact.ts";
