export type { Backend, OpenBackend, OpenBackendOptions } from "./backends/backend.ts";
export { openLocal } from "./backends/local/local-backend.ts";
export { openNnsight } from "./backends/nnsight/open-nnsight.ts";
export { openProfile } from "./backends/open-profile.ts";
export { openOpenai } from "./backends/openai/open-openai.ts";
export { openTei } from "./backends/tei/open-tei.ts";
export { openVllm, type VllmChoice } from "./backends/vllm/open-vllm.ts";
export { loadTextClassifier } from "./checkpoint/encoders/load-text-classifier.ts";
export { loadTextEmbedder } from "./checkpoint/encoders/load-text-embedder.ts";
export type { PullEvent } from "./checkpoint/hub/hub.ts";
export { type LoadModelOptions, loadModel } from "./checkpoint/load-model.ts";
export { pullModel } from "./checkpoint/locate-checkpoint.ts";
export { type Device, resolveDevice } from "./checkpoint/resolve-device.ts";
export {
  type EndEvent,
  type GenerateOptions,
  type GenerationEvent,
  generate,
  type SampleAnswersOptions,
  type SampledAnswer,
  sampleAnswers,
  type TokenEvent,
} from "./engine/generate/generate.ts";
export type { SamplerSettings } from "./engine/generate/sampler-settings.ts";
export type { LanguageModel, Trace, TraceOptions } from "./engine/language-model.ts";
export { TRACE_POSITIONS, type TracePosition } from "./engine/places.ts";
export type { DeviceChoice, DeviceName } from "./engine/runtime/device.ts";
export { buildPrompt, type Prompt, type PromptOptions } from "./engine/tokenizer/build-prompt.ts";
export type { ChatMessage } from "./engine/tokenizer/chat-template.ts";
export {
  createPromptTemplate,
  type PromptFormat,
  type Shot,
  takeShots,
} from "./engine/tokenizer/prompt-format.ts";
export { ESTIMATES } from "./entropy/measures/estimate-registry.ts";
export { SE_MODES } from "./entropy/se-mode.ts";
export {
  discreteSemanticEntropy,
  semanticEntropy,
  sumLogprobSemanticEntropy,
} from "./entropy/semantic-entropy.ts";
export { buildPTruePrompt, logPTrue } from "./entropy/state-measures.ts";
export { meanTokenEntropy, regularEntropy } from "./entropy/token-measures.ts";
export { SEP_ERROR_CODES, SepError, type SepErrorCode } from "./errors.ts";
export { bootstrapInterval } from "./evaluation/bootstrap-interval.ts";
export { holmCorrect, pairedTest } from "./evaluation/compare-scores.ts";
export { evaluatePower } from "./evaluation/detectable-auroc.ts";
export { brierScore, expectedCalibrationError, reliabilityBins } from "./evaluation/evaluate-calibration.ts";
export { permutationTest } from "./evaluation/evaluate-score.ts";
export type { ProbeEval } from "./evaluation/probe-eval.ts";
export { accuracyAtCoverage, predictionRejectionRatio } from "./evaluation/rejection.ts";
export type { TransferEval } from "./evaluation/transfer-eval.ts";
export { auroc } from "./math/auroc.ts";
export { averagePrecision, type RocPoint, rocCurve } from "./math/roc-curve.ts";
export { clusterAnswers } from "./meaning/cluster-answers.ts";
export { createCosineEquivalence, type TextEmbedder } from "./meaning/cosine-equivalence.ts";
export type { Entailer } from "./meaning/entailer.ts";
export type { Equivalence } from "./meaning/equivalence.ts";
export {
  createExactEquivalence,
  createHybridEquivalence,
  createMathEquivalence,
} from "./meaning/hybrid-equivalence.ts";
export { createJudgeEquivalence } from "./meaning/judge-equivalence.ts";
export { createLocalJudge } from "./meaning/local-judge.ts";
export { createNliEquivalence } from "./meaning/nli-equivalence.ts";
export { fitCalibration } from "./probes/calibration.ts";
export { chooseDecisionThreshold } from "./probes/choose-decision-threshold.ts";
export { fitLogistic } from "./probes/fit-logistic.ts";
export { pickStates } from "./probes/pick-states.ts";
export {
  assertStates,
  assertThinkEntropies,
  assessRisk,
  measureFamiliarity,
  type PlacedStates,
  type Probe,
  parseProbe,
  requireProbeFits,
  scoreProbe,
} from "./probes/portable-probe.ts";
export { splitQuestions } from "./probes/split-questions.ts";
export { fitProbes } from "./probes/sweep/fit-probes-node.ts";
export { PROJECTIONS, projectStates } from "./report/project-states.ts";
export type { AnswerBackend, AnswerSampler } from "./samples/answer-backend.ts";
export type { Question } from "./samples/question.ts";
export { readRuns } from "./samples/read-runs.ts";
export type { RunRecord } from "./samples/run-record.ts";
export { createScorer, type ScoredQuestion, scoreQuestion } from "./serve/score-question.ts";
export type { StateBackend, StateReader } from "./states/state-backend.ts";
export type { PlannedStep } from "./study/decide-step.ts";
export { computeEntropy } from "./study/entropy/compute-entropy.ts";
export { readSemanticEntropy } from "./study/entropy/read-semantic-entropy.ts";
export { scoreRuns } from "./study/entropy/score-runs.ts";
export { buildAnalysisTable } from "./study/exchange/analysis-table.ts";
export { importArrays } from "./study/exchange/import-arrays.ts";
export { createCachedEntailer } from "./study/meaning/disk-caches.ts";
export { createNliEntailer, createSentenceEmbedder } from "./study/meaning/encoder-models.ts";
export { createMeaningModels } from "./study/meaning/meaning-models.ts";
export { exportProbe, loadProbe, saveProbe } from "./study/probe-files.ts";
export { scoreStudy } from "./study/probes/score-study.ts";
export { planPipeline, type RunPipelineOptions, runPipeline } from "./study/run-pipeline.ts";
export { resolveSampler } from "./study/sampling/resolve-sampler.ts";
export { type StudyOptions, settingsSchema } from "./study/settings/study.ts";
export { mergeShards } from "./study/shards/merge-shards.ts";
export type { StepEvent, StepResult } from "./study/step.ts";
export { buildDatasets } from "./study/steps/build-datasets.ts";
export { evaluateProbes } from "./study/steps/evaluate-probes.ts";
export { generateRuns } from "./study/steps/generate-runs.ts";
export { prepareQuestions } from "./study/steps/prepare-questions.ts";
export { traceRuns } from "./study/steps/trace-runs.ts";
export { trainProbes } from "./study/steps/train-probes.ts";
export { transferProbes } from "./study/steps/transfer-probes.ts";
export { verifyTrace } from "./study/steps/verify-trace.ts";
export { writeReport } from "./study/steps/write-report.ts";
export { openWorkspace, type Workspace } from "./study/workspace.ts";
export { type ExtractedAnswer, extractAnswer, extractOpenAnswer } from "./text/extract-answer.ts";
export { mathEquivalent } from "./text/math-equivalent.ts";
export { matchesOpenAnswer, type OpenReference, tokenF1 } from "./text/open-answer.ts";

/** The public API of semantic-entropy-probes. */
