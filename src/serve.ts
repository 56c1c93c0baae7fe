/**
 * The entry `semantic-entropy-probes/serve`: an OpenAI-compatible server that says how likely its answers are to be wrong, in
 * this process.
 * @module serve
 */

export type { LiveBackend, LiveEvent, LiveModel, StatesEvent } from "./backends/live-model.ts";
export { liveModelOf } from "./backends/local/local-backend.ts";
export type { ReadAnswerOptions } from "./engine/generate/read-answer.ts";
export { SEP_ERROR_CODES, SepError, type SepErrorCode } from "./errors.ts";
export { type GatedServer, type GateOptions, listenBehindGate } from "./net/listen.ts";
export type { ServerLimits } from "./serve/admission.ts";
export type { AnswerRisk, Policy } from "./serve/answer-request.ts";
export { type CreateServerOptions, createServer, type RiskServer } from "./serve/create-server.ts";
export type { EntropyInput, EntropyMeter, MeasuredEntropy } from "./serve/entropy-meter.ts";
export type { AnswerAssessment, TokenRisk } from "./serve/monitor.ts";
export type { RiskResult } from "./serve/risk-routes.ts";
export type { SpanRisk } from "./serve/sentence-risks.ts";
export type { NamedProbe } from "./serve/served-probe.ts";
