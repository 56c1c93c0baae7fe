/**
 * The entry `semantic-entropy-probes`: everything, on Node.
 * @module semantic-entropy-probes
 */

export type { Backend, BackendWith, OpenBackend, OpenBackendOptions } from "./backends/backend.ts";
export { openLocal } from "./backends/local/local-backend.ts";
export { type OpenNnsightOptions, openNnsight } from "./backends/nnsight/open-nnsight.ts";
export { type OpenedProfile, openProfile } from "./backends/open-profile.ts";
export { openOpenai } from "./backends/openai/open-openai.ts";
export { openTei } from "./backends/tei/open-tei.ts";
export { openVllm, type VllmChoice } from "./backends/vllm/open-vllm.ts";
export type { ServeOptions, ServePurpose } from "./backends/vllm/serve-command.ts";
export type { Cpu } from "./checkpoint/encoders/encoder-files.ts";
export type { LoadEncoderOptions } from "./checkpoint/encoders/load-encoder.ts";
export type { Classification, TextClassifier } from "./checkpoint/encoders/load-text-classifier.ts";
export { loadTextClassifier } from "./checkpoint/encoders/load-text-classifier.ts";
export type { EmbeddingModel, TextEmbedding } from "./checkpoint/encoders/load-text-embedder.ts";
export { loadTextEmbedder } from "./checkpoint/encoders/load-text-embedder.ts";
export type { FileChoice } from "./checkpoint/hub/choose-files.ts";
export type { HubOptions, PlannedFile, PullEvent, PullNote, PullPlan } from "./checkpoint/hub/hub.ts";
export { type LoadModelOptions, loadModel, openModel } from "./checkpoint/load-model.ts";
export type { ModelProfile } from "./checkpoint/load-model-profile.ts";
export type { CheckpointLocation, LocateCheckpointOptions } from "./checkpoint/locate-checkpoint.ts";
export { pullModel } from "./checkpoint/locate-checkpoint.ts";
export type { OpeningEvent, ProgressEvent } from "./checkpoint/opening-event.ts";
export { type Device, type ResolveDeviceOptions, resolveDevice } from "./checkpoint/resolve-device.ts";
export type { EncoderProvenance, Pooling } from "./engine/encoders/encoder.ts";
export type { TextInput } from "./engine/encoders/text-encoder.ts";
export type { BatchUsage } from "./engine/generate/batcher.ts";
export type {
  EndEvent,
  GenerateOptions,
  GenerationEvent,
  GenerationPrompt,
  RankedToken,
  SampleAnswersOptions,
  SampledAnswer,
  TokenEvent,
} from "./engine/generate/generate.ts";
export { generate, sampleAnswers } from "./engine/generate/generate.ts";
export type { PrefilledPrompt, PrefillOptions, PromptTokens } from "./engine/generate/prefill.ts";
export type { StatesToRead, TokenState } from "./engine/generate/sample-with-states.ts";
export type { GenerationDefaults, SamplerSettings } from "./engine/generate/sampler-settings.ts";
export type { ThinkStatus } from "./engine/generate/split-reasoning.ts";
export type { DecoderConfig } from "./engine/graph/decoder-config.ts";
export type {
  LanguageModel,
  ModelName,
  ModelProvenance,
  Trace,
  TraceOptions,
} from "./engine/language-model.ts";
export { type LayerStates, stackStates } from "./engine/layer-states.ts";
export { TRACE_POSITIONS, type TracePosition, UNIT_POSITIONS } from "./engine/places.ts";
export type { LayerName } from "./engine/resolve-layers.ts";
export { DEVICE_NAMES, type DeviceChoice, type DeviceName } from "./engine/runtime/device.ts";
export type { ChatTurns, Prompt, PromptOptions } from "./engine/tokenizer/build-prompt.ts";
export { buildPrompt } from "./engine/tokenizer/build-prompt.ts";
export type { ChatMessage, ChatOptions, RenderChat } from "./engine/tokenizer/chat-template.ts";
export type {
  AnsweredQuestion,
  PromptFormat,
  PromptTemplate,
  Shot,
} from "./engine/tokenizer/prompt-format.ts";
export { createPromptTemplate, PLAIN_PROMPT_FORMATS, takeShots } from "./engine/tokenizer/prompt-format.ts";
export type { AddedToken, TextTokenizer } from "./engine/tokenizer/text-tokenizer.ts";
export { ESTIMATE_NEEDS, type Estimate, type EstimateNeed } from "./entropy/measures/estimate.ts";
export { ESTIMATES, type EstimateCost } from "./entropy/measures/estimate-registry.ts";
export { type AgreementRule, type ClusterAssignment, SE_MODES, type SeMode } from "./entropy/se-mode.ts";
export {
  discreteSemanticEntropy,
  semanticEntropy,
  sumLogprobSemanticEntropy,
} from "./entropy/semantic-entropy.ts";
export type { SemanticEntropyRecord, StoredSemanticEntropy } from "./entropy/semantic-entropy-record.ts";
export {
  buildPTruePrompt,
  logPTrue,
  openPTruePrompt,
  type PTrueCase,
  type PTrueShot,
} from "./entropy/state-measures.ts";
export { meanTokenEntropy, regularEntropy } from "./entropy/token-measures.ts";
export { SEP_ERROR_CODES, SepError, type SepErrorCode } from "./errors.ts";
export { type AddedValue, type AddedValueOptions, measureAddedValue } from "./evaluation/added-value.ts";
export type { Audit } from "./evaluation/audit.ts";
export type {
  BootstrapOptions,
  BootstrapResult,
  ConfidenceInterval,
} from "./evaluation/bootstrap-interval.ts";
export { bootstrapInterval } from "./evaluation/bootstrap-interval.ts";
export type { AuditCheck, CheckName } from "./evaluation/checks.ts";
export { CHECK_NAMES } from "./evaluation/checks.ts";
export type { UnitExample } from "./evaluation/choose-examples.ts";
export type { LabelledScores, PairedComparison, PairedTestResult } from "./evaluation/compare-scores.ts";
export { holmCorrect, pairedTest, pairedTestAcross } from "./evaluation/compare-scores.ts";
export type {
  ComparedQuality,
  ComparedScore,
  StudiesComparison,
  StudyDifference,
  StudyRows,
  StudyToCompare,
} from "./evaluation/compare-studies.ts";
export { compareStudies } from "./evaluation/compare-studies.ts";
export type {
  ConsistentlyWrong,
  ConsistentlyWrongQuestion,
  EntropyBin,
} from "./evaluation/consistently-wrong.ts";
export type { ConstantControl, ShuffledControl } from "./evaluation/controls.ts";
export { evaluatePower, type PowerEvaluation } from "./evaluation/detectable-auroc.ts";
export type {
  CalibrationEvaluation,
  CalibrationMaps,
  CalibrationQuality,
  ReliabilityBin,
} from "./evaluation/evaluate-calibration.ts";
export { brierScore, expectedCalibrationError, reliabilityBins } from "./evaluation/evaluate-calibration.ts";
export type { AchievedDecision, DecisionEvaluation } from "./evaluation/evaluate-decision.ts";
export type { AchievedRoute, RivalRoute, RivalRouter, RouteEvaluation } from "./evaluation/evaluate-route.ts";
export { RIVAL_ROUTERS } from "./evaluation/evaluate-route.ts";
export type { InferenceOptions, PermutationResult, ScoreEvaluation } from "./evaluation/evaluate-score.ts";
export { permutationTest } from "./evaluation/evaluate-score.ts";
export type { CalibratedName, SplitEvaluation, SplitScores } from "./evaluation/evaluate-split.ts";
export { CALIBRATED_NAMES } from "./evaluation/evaluate-split.ts";
export type { UnitAuroc, UnitEvaluation } from "./evaluation/evaluate-units.ts";
export type {
  EvaluatedSplit,
  FamiliarityEvaluation,
  HeldOutSplit,
  ProbeEval,
  ProbeSummary,
  UnfamiliarCount,
} from "./evaluation/probe-eval.ts";
export { EVALUATED_SPLITS, HELD_OUT_SPLITS } from "./evaluation/probe-eval.ts";
export type { RejectionEvaluation } from "./evaluation/rejection.ts";
export { accuracyAtCoverage, augrc, aurc, predictionRejectionRatio } from "./evaluation/rejection.ts";
export type { CurveBand, ScoreCurves } from "./evaluation/score-curves.ts";
export type { Moment, ProbeMoments, ProbeName, ScoreInfo, ScoreName } from "./evaluation/score-names.ts";
export { MOMENTS, PROBE_NAMES, SCORE_INFO, SCORE_NAMES } from "./evaluation/score-names.ts";
export type {
  OverallMean,
  TransferArea,
  TransferCell,
  TransferDataset,
  TransferEval,
  TransferMean,
  TransferProbe,
  TransferSetting,
  TransferTraining,
} from "./evaluation/transfer-eval.ts";
export { TRANSFER_PROBES, TRANSFER_SETTINGS } from "./evaluation/transfer-eval.ts";
export { auroc } from "./math/auroc.ts";
export type { PlattScaling } from "./math/logistic.ts";
export { averagePrecision, type RocPoint, rocCurve } from "./math/roc-curve.ts";
export type { ClusterAnswersOptions, ClusteredAnswers, ClusterOptions } from "./meaning/cluster-answers.ts";
export { clusterAnswers } from "./meaning/cluster-answers.ts";
export type { CosineEquivalenceOptions, TextEmbedder } from "./meaning/cosine-equivalence.ts";
export { createCosineEquivalence } from "./meaning/cosine-equivalence.ts";
export type { Entailer, EntailmentVerdict } from "./meaning/entailer.ts";
export type { AnswerPair, ComparedPair, Equivalence, PairVerdict } from "./meaning/equivalence.ts";
export {
  createExactEquivalence,
  createHybridEquivalence,
  createMathEquivalence,
} from "./meaning/hybrid-equivalence.ts";
export { createJudgeEquivalence, type JudgeEquivalenceOptions } from "./meaning/judge-equivalence.ts";
export { JUDGE_LABELS, type JudgeLabel, type JudgeModel } from "./meaning/judge-model.ts";
export { createLocalJudge } from "./meaning/local-judge.ts";
export { createNliEquivalence, type NliEquivalenceOptions } from "./meaning/nli-equivalence.ts";
export type { OrderSensitivity } from "./meaning/order-sensitivity.ts";
export type { Sleep } from "./net/retry.ts";
export { fitCalibration } from "./probes/calibration.ts";
export type { DecisionTarget, ThresholdChoice } from "./probes/choose-decision-threshold.ts";
export { chooseDecisionThreshold } from "./probes/choose-decision-threshold.ts";
export type { RouteThreshold } from "./probes/choose-route-threshold.ts";
export type { DesignMatrix } from "./probes/design-matrix.ts";
export { type ClassWeight, fitLogistic, type LogisticFit, type LogisticTask } from "./probes/fit-logistic.ts";
export { pickStates, type TracedText } from "./probes/pick-states.ts";
export type {
  PlacedSpans,
  PlacedStates,
  PoolingMethod,
  PoolingProbe,
  Probe,
  SpanPool,
  SpanPooling,
  SpanValues,
} from "./probes/portable-probe.ts";
export {
  assertSpans,
  assertStates,
  assertThinkEntropies,
  assessRisk,
  createSpanPool,
  measureFamiliarity,
  POOLINGS,
  parseProbe,
  requireProbeFits,
  scoreProbe,
} from "./probes/portable-probe.ts";
export type {
  GenerationConfig,
  LayerScore,
  NestedFold,
  Optimisation,
  PenaltyScore,
  PermutationEstimate,
  PermutationTest,
  ProbeDecision,
  ProbeTarget,
  ProbeTraining,
  UntrainedProbe,
} from "./probes/probe.ts";
export type { ProbeDataset } from "./probes/probe-dataset.ts";
export type { HiddenLayer, ProbeWeights } from "./probes/probe-weights.ts";
export type { SeThreshold, SeThresholdChoice, SeThresholdMethod } from "./probes/se-threshold.ts";
export { SE_THRESHOLD_METHODS } from "./probes/se-threshold.ts";
export type { FoldAssignment, QuestionSplit, SplitRatios } from "./probes/split-questions.ts";
export { splitQuestions } from "./probes/split-questions.ts";
export { fitProbes } from "./probes/sweep/fit-probes-node.ts";
export type { FittedProbe } from "./probes/sweep/keep-probe.ts";
export type { ProbeTargetSpec } from "./probes/sweep/outcomes.ts";
export type { NestedEstimate } from "./probes/sweep/score-table.ts";
export type {
  FitProbesEvent,
  FitProbesOptions,
  FittedProbes,
  FittedTarget,
} from "./probes/sweep/sweep-probes.ts";
export type {
  ArrayFeatures,
  FileFeatures,
  PooledRows,
  ProbeFeatures,
  StackedFeatures,
} from "./probes/sweep/sweep-units.ts";
export {
  type ChainLabel,
  MEASURED_LABELS,
  type MeasuredLabel,
  ROW_LABELS,
  type RowLabel,
} from "./probes/unit-labels.ts";
export type { ProjectedStates, ProjectionEvent, ProjectStatesOptions } from "./report/project-states.ts";
export { PROJECTIONS, projectStates } from "./report/project-states.ts";
export type { AnswerBackend, AnswerSampler, DrawnAnswer, DrawOptions } from "./samples/answer-backend.ts";
export type { LoadQuestionsOptions } from "./samples/load-questions.ts";
export type { Question } from "./samples/question.ts";
export { UNANSWERABLE, type Unanswerable } from "./samples/question-formats.ts";
export { type LoadedRuns, readRuns } from "./samples/read-runs.ts";
export type { RunRecord } from "./samples/run-record.ts";
export type { RiskOf } from "./serve/monitor.ts";
export type {
  QuestionScorer,
  ScoredQuestion,
  ScoredToken,
  ScoreOptions,
  ScoreQuestionOptions,
} from "./serve/score-question.ts";
export { createScorer, scoreQuestion } from "./serve/score-question.ts";
export type { TraceCheck } from "./states/check-trace.ts";
export type { HiddenStates } from "./states/hidden-states.ts";
export type {
  AnswerToTrace,
  ReadStatesOptions,
  StateBackend,
  StateReader,
  TracedAnswers,
} from "./states/state-backend.ts";
export type { LineProblem } from "./store/jsonl.ts";
export type { ManifestWarning } from "./store/manifest.ts";
export type { TableCell, TableColumn } from "./store/table-file.ts";
export type { PlannedStep, StepAction, StepPlan } from "./study/decide-step.ts";
export { type ComputeEntropyOptions, computeEntropy } from "./study/entropy/compute-entropy.ts";
export { readSemanticEntropy } from "./study/entropy/read-semantic-entropy.ts";
export { type ScoreRunsOptions, scoreRuns } from "./study/entropy/score-runs.ts";
export { buildAnalysisTable } from "./study/exchange/analysis-table.ts";
export { type ImportAnswersOptions, importAnswers } from "./study/exchange/import-answers.ts";
export { type ImportArraysOptions, importArrays } from "./study/exchange/import-arrays.ts";
export { type CachedEntailerOptions, createCachedEntailer } from "./study/meaning/disk-caches.ts";
export type { NliEntailerOptions } from "./study/meaning/encoder-models.ts";
export { createNliEntailer, createSentenceEmbedder } from "./study/meaning/encoder-models.ts";
export type {
  EntailerChoice,
  MeaningModels,
  MeaningModelsOptions,
  OpenEmbedder,
  OpenJudge,
} from "./study/meaning/meaning-models.ts";
export { createMeaningModels } from "./study/meaning/meaning-models.ts";
export { exportProbe, loadProbe, saveProbe } from "./study/probe-files.ts";
export type { ScoredSplit, ScoredStudy, StudyProbes } from "./study/probes/score-study.ts";
export { scoreStudy } from "./study/probes/score-study.ts";
export { readComparedStudy, requireSameKind, type StudyKind } from "./study/read-compared-study.ts";
export { planPipeline, type RunPipelineOptions, runPipeline } from "./study/run-pipeline.ts";
export type { AdaptiveOptions } from "./study/sampling/adaptive-k.ts";
export type { DtypeChoice } from "./study/sampling/choose-dtype.ts";
export type { JudgeChoice } from "./study/sampling/grade-runs.ts";
export type {
  GenerateRunsOptions,
  StatesWhileSampling,
  StudyPromptFormat,
} from "./study/sampling/plan-generation.ts";
export type { ResolvedSampler, SamplerChoice, SettingSource } from "./study/sampling/resolve-sampler.ts";
export { resolveSampler } from "./study/sampling/resolve-sampler.ts";
export { type StudyOptions, settingsSchema } from "./study/settings/study.ts";
export { type MergeShardsOptions, mergeShards } from "./study/shards/merge-shards.ts";
export type { Shard } from "./study/shards/shard.ts";
export type { ActivityName, StepEvent, StepResult } from "./study/step.ts";
export { type BuildDatasetsOptions, buildDatasets } from "./study/steps/build-datasets.ts";
export { type EvaluateProbesOptions, evaluateProbes } from "./study/steps/evaluate-probes.ts";
export { type FitRouteOptions, type FittedRoute, fitRoute } from "./study/steps/fit-route.ts";
export { generateRuns } from "./study/steps/generate-runs.ts";
export { type PrepareQuestionsOptions, prepareQuestions } from "./study/steps/prepare-questions.ts";
export { type RepeatSeedsOptions, repeatSeeds } from "./study/steps/repeat-seeds.ts";
export { type TracePlaces, type TraceRunsOptions, traceRuns } from "./study/steps/trace-runs.ts";
export { type TrainProbesOptions, trainProbes } from "./study/steps/train-probes.ts";
export { type TransferProbesOptions, transferProbes } from "./study/steps/transfer-probes.ts";
export { type TraceVerdict, type VerifyTraceOptions, verifyTrace } from "./study/steps/verify-trace.ts";
export { type WriteReportOptions, writeReport } from "./study/steps/write-report.ts";
export type { AnswerRole } from "./study/study-answers.ts";
export { openWorkspace, STEP_NAMES, type StepName, type Workspace } from "./study/workspace.ts";
export type { AnswerRule, ExtractedAnswer } from "./text/extract-answer.ts";
export { extractAnswer, extractOpenAnswer } from "./text/extract-answer.ts";
export { mathEquivalent } from "./text/math-equivalent.ts";
export { GRADERS, type Grader, matchesOpenAnswer, type OpenReference, tokenF1 } from "./text/open-answer.ts";
