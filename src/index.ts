/** The public API of semantic-entropy-probes. */

export { discreteSemanticEntropy } from "./entropy/discrete-semantic-entropy.ts";
export { ESTIMATES } from "./entropy/estimates/estimate-registry.ts";
export { meanTokenEntropy } from "./entropy/mean-token-entropy.ts";
export { buildPTruePrompt, logPTrue } from "./entropy/p-true.ts";
export { readSemanticEntropy } from "./entropy/read-semantic-entropy.ts";
export { regularEntropy } from "./entropy/regular-entropy.ts";
export { SE_MODES } from "./entropy/se-mode.ts";
export { semanticEntropy } from "./entropy/semantic-entropy.ts";
export { sumLogprobSemanticEntropy } from "./entropy/sum-logprob-semantic-entropy.ts";
export { SEP_ERROR_CODES, SepError, type SepErrorCode } from "./errors.ts";
export { bootstrapInterval } from "./evaluation/bootstrap-interval.ts";
export { brierScore, expectedCalibrationError, reliabilityBins } from "./evaluation/calibration.ts";
export { holmCorrect } from "./evaluation/compare-scores.ts";
export { evaluatePower } from "./evaluation/detectable-auroc.ts";
export { pairedTest } from "./evaluation/paired-test.ts";
export { permutationTest } from "./evaluation/permutation-test.ts";
export type { ProbeEval } from "./evaluation/probe-eval.ts";
export { accuracyAtCoverage, predictionRejectionRatio } from "./evaluation/rejection.ts";
export type { TransferEval } from "./evaluation/transfer-eval.ts";
export { auroc } from "./math/auroc.ts";
export { averagePrecision } from "./math/average-precision.ts";
export { rocCurve } from "./math/roc-curve.ts";
export { createCachedEntailer } from "./meaning/cached-entailer.ts";
export { clusterAnswers } from "./meaning/cluster-answers.ts";
export { createCosineEquivalence } from "./meaning/cosine-equivalence.ts";
export type { TextEmbedder } from "./meaning/embedder.ts";
export type { Entailer } from "./meaning/entailer.ts";
export type { Equivalence } from "./meaning/equivalence.ts";
export { createExactEquivalence } from "./meaning/exact-equivalence.ts";
export { createHybridEquivalence } from "./meaning/hybrid-equivalence.ts";
export { createJudgeEquivalence } from "./meaning/judge-equivalence.ts";
export { createLocalJudge } from "./meaning/local-judge.ts";
export { createMathEquivalence } from "./meaning/math-equivalence.ts";
export { createNliEntailer } from "./meaning/nli-entailer.ts";
export { createNliEquivalence } from "./meaning/nli-equivalence.ts";
export { createSentenceEmbedder } from "./meaning/sentence-embedder.ts";
export { createServerJudge } from "./meaning/server-judge.ts";
export { pullModel } from "./models/checkpoint/pull-model.ts";
export type { DeviceChoice, DeviceName } from "./models/device/device.ts";
export { type Device, resolveDevice } from "./models/device/resolve-device.ts";
export { loadTextClassifier } from "./models/encoders/load-text-classifier.ts";
export { loadTextEmbedder } from "./models/encoders/load-text-embedder.ts";
export type { PullEvent } from "./models/hub/pull-event.ts";
export type { LanguageModel, Trace, TraceOptions } from "./models/language-model.ts";
export { type LoadModelOptions, loadModel } from "./models/load-model.ts";
export type { PlannedStep } from "./pipeline/decide-step.ts";
export { computeEntropy } from "./pipeline/entropy/compute-entropy.ts";
export { scoreRuns } from "./pipeline/entropy/score-runs.ts";
export { buildAnalysisTable } from "./pipeline/exchange/analysis-table.ts";
export { importArrays } from "./pipeline/exchange/import-arrays.ts";
export { createMeaningModels } from "./pipeline/meaning/meaning-models.ts";
export { openNnsight } from "./pipeline/models/open-nnsight.ts";
export { openVllmAnswers, openVllmStates } from "./pipeline/models/open-vllm.ts";
export { buildDatasets } from "./pipeline/probes/build-datasets.ts";
export { evaluateProbes } from "./pipeline/probes/evaluate-probes.ts";
export { scoreStudy } from "./pipeline/probes/score-study.ts";
export { trainProbes } from "./pipeline/probes/train-probes.ts";
export { transferProbes } from "./pipeline/probes/transfer-probes.ts";
export { writeReport } from "./pipeline/report/write-report.ts";
export { planPipeline, runPipeline } from "./pipeline/run-pipeline.ts";
export { generateRuns } from "./pipeline/sampling/generate-runs.ts";
export { prepareQuestions } from "./pipeline/sampling/prepare-questions.ts";
export { resolveSampler } from "./pipeline/sampling/resolve-sampler.ts";
export { createScorer, type ScoredQuestion, scoreQuestion } from "./pipeline/score/score-question.ts";
export { mergeShards } from "./pipeline/shards/merge-shards.ts";
export type { StepEvent, StepResult } from "./pipeline/step.ts";
export type { RunPipelineOptions } from "./pipeline/study-options.ts";
export { traceRuns } from "./pipeline/tracing/trace-runs.ts";
export { verifyTrace } from "./pipeline/tracing/verify-trace.ts";
export { openWorkspace, type Workspace } from "./pipeline/workspace.ts";
export { chooseDecisionThreshold } from "./probes/choose-decision-threshold.ts";
export { exportProbe } from "./probes/export/export-probe.ts";
export { fitCalibration } from "./probes/fit-calibration.ts";
export { fitLogistic } from "./probes/fit-logistic.ts";
export { fitProbes } from "./probes/fit-probes.ts";
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
export { loadProbe, saveProbe } from "./probes/probe-file.ts";
export { splitQuestions } from "./probes/split-questions.ts";
export type { Question } from "./questions/question.ts";
export { PROJECTIONS, projectStates } from "./report/project-states.ts";
export type { AnswerBackend } from "./sampling/answer-backend.ts";
export { buildPrompt } from "./sampling/build-prompt.ts";
export { type Shot, takeShots } from "./sampling/few-shot.ts";
export type { PromptFormat } from "./sampling/prompt-format.ts";
export { createPromptTemplate } from "./sampling/prompt-template.ts";
export { readRuns } from "./sampling/read-runs.ts";
export type { RunRecord } from "./sampling/run-record.ts";
export { type SampledAnswer, sampleAnswers } from "./sampling/sample-answers.ts";
export type { SamplerSettings } from "./sampling/sampler-settings.ts";
export { extractAnswer } from "./text/extract-answer.ts";
export { extractOpenAnswer } from "./text/extract-open-answer.ts";
export { mathEquivalent } from "./text/math-equivalent.ts";
export { matchesOpenAnswer } from "./text/open-answer.ts";
export { tokenF1 } from "./text/token-f1.ts";
export { TRACE_POSITIONS, type TracePosition } from "./tracing/positions.ts";
export type { StateBackend } from "./tracing/state-backend.ts";
