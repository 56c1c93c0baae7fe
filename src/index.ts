/** The public API of semantic-entropy-probes. */

export { openNnsight } from "./backends/nnsight/open-nnsight.ts";
export { createServerJudge } from "./backends/openai/server-judge.ts";
export { openVllmAnswers, openVllmStates } from "./backends/vllm/open-vllm.ts";
export { loadTextClassifier } from "./checkpoint/encoders/load-text-classifier.ts";
export { loadTextEmbedder } from "./checkpoint/encoders/load-text-embedder.ts";
export type { PullEvent } from "./checkpoint/hub/pull-event.ts";
export { type LoadModelOptions, loadModel } from "./checkpoint/load-model.ts";
export { pullModel } from "./checkpoint/pull-model.ts";
export { type SampledAnswer, sampleAnswers } from "./engine/generate/sample-answers.ts";
export type { SamplerSettings } from "./engine/generate/sampler-settings.ts";
export type { LanguageModel, Trace, TraceOptions } from "./engine/language-model.ts";
export type { DeviceChoice, DeviceName } from "./engine/runtime/device.ts";
export { type Device, resolveDevice } from "./engine/runtime/resolve-device.ts";
export { buildPrompt } from "./engine/tokenizer/build-prompt.ts";
export { type Shot, takeShots } from "./engine/tokenizer/few-shot.ts";
export type { PromptFormat } from "./engine/tokenizer/prompt-format.ts";
export { createPromptTemplate } from "./engine/tokenizer/prompt-template.ts";
export { discreteSemanticEntropy } from "./entropy/discrete-semantic-entropy.ts";
export { meanTokenEntropy } from "./entropy/mean-token-entropy.ts";
export { ESTIMATES } from "./entropy/measures/estimate-registry.ts";
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
export { PROJECTIONS, projectStates } from "./report/project-states.ts";
export type { AnswerBackend } from "./samples/answer-backend.ts";
export type { Question } from "./samples/question.ts";
export { readRuns } from "./samples/read-runs.ts";
export type { RunRecord } from "./samples/run-record.ts";
export { createScorer, type ScoredQuestion, scoreQuestion } from "./serve/score-question.ts";
export { TRACE_POSITIONS, type TracePosition } from "./states/positions.ts";
export type { StateBackend } from "./states/state-backend.ts";
export type { PlannedStep } from "./study/decide-step.ts";
export { computeEntropy } from "./study/entropy/compute-entropy.ts";
export { scoreRuns } from "./study/entropy/score-runs.ts";
export { buildAnalysisTable } from "./study/exchange/analysis-table.ts";
export { importArrays } from "./study/exchange/import-arrays.ts";
export { createMeaningModels } from "./study/meaning/meaning-models.ts";
export { buildDatasets } from "./study/probes/build-datasets.ts";
export { evaluateProbes } from "./study/probes/evaluate-probes.ts";
export { scoreStudy } from "./study/probes/score-study.ts";
export { trainProbes } from "./study/probes/train-probes.ts";
export { transferProbes } from "./study/probes/transfer-probes.ts";
export { writeReport } from "./study/report/write-report.ts";
export { planPipeline, runPipeline } from "./study/run-pipeline.ts";
export { generateRuns } from "./study/sampling/generate-runs.ts";
export { prepareQuestions } from "./study/sampling/prepare-questions.ts";
export { resolveSampler } from "./study/sampling/resolve-sampler.ts";
export { mergeShards } from "./study/shards/merge-shards.ts";
export type { StepEvent, StepResult } from "./study/step.ts";
export type { RunPipelineOptions } from "./study/study-options.ts";
export { traceRuns } from "./study/tracing/trace-runs.ts";
export { verifyTrace } from "./study/tracing/verify-trace.ts";
export { openWorkspace, type Workspace } from "./study/workspace.ts";
export { extractAnswer } from "./text/extract-answer.ts";
export { extractOpenAnswer } from "./text/extract-open-answer.ts";
export { mathEquivalent } from "./text/math-equivalent.ts";
export { matchesOpenAnswer } from "./text/open-answer.ts";
export { tokenF1 } from "./text/token-f1.ts";
