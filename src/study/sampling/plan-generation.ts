import { answerBackendOf } from "../../backends/local/local-backend.ts";
import type { ModelProfile } from "../../checkpoint/load-model-profile.ts";
import type { SamplerSettings } from "../../engine/generate/sampler-settings.ts";
import type { LanguageModel } from "../../engine/language-model.ts";
import { buildPrompt } from "../../engine/tokenizer/build-prompt.ts";
import {
  createPromptTemplate,
  leaveOutShots,
  PLAIN_PROMPT_FORMATS,
  type PromptFormat,
  resolvePromptFormat,
  SHOT_COUNT,
  stopStringsOf,
  takeShots,
} from "../../engine/tokenizer/prompt-format.ts";
import { SepError } from "../../errors.ts";
import type { Json } from "../../formats/json.ts";
import type { AnswerBackend } from "../../samples/answer-backend.ts";
import { describePromptFormat } from "../../samples/describe-prompt-format.ts";
import { chooseCorrectness } from "../../samples/grade-answer.ts";
import { type LoadedQuestions, loadQuestions } from "../../samples/load-questions.ts";
import { type LocateQuestionsOptions, locateQuestions } from "../../samples/locate-questions.ts";
import type { Question } from "../../samples/question.ts";
import type { RecordRunsOptions } from "../../samples/record-runs.ts";
import type { StateBackend } from "../../states/state-backend.ts";
import { describeProblems } from "../../store/jsonl.ts";
import type { ManifestWarning } from "../../store/manifest.ts";
import { fileExists, readIfThere } from "../../store/read-file.ts";
import type { Grader } from "../../text/open-answer.ts";
import { GENERATE_SETTINGS, type PROMPT, SEED } from "../settings/sampling.ts";
import { defaultOf, type SettingsOutput } from "../settings/setting.ts";
import { isInShard } from "../shards/shard.ts";
import type { StepControl, StepEvent } from "../step.ts";
import type { TracePlaces } from "../steps/trace-runs.ts";
import type { AnswerRole } from "../study-answers.ts";
import type { DataSetName, Workspace } from "../workspace.ts";
import type { AdaptiveOptions } from "./adaptive-k.ts";
import type { DtypeChoice } from "./choose-dtype.ts";
import type { JudgeChoice } from "./grade-runs.ts";
import { describeUnfollowed, type ResolvedSampler } from "./resolve-sampler.ts";

/** A format, or `few-shot` with the set's own first five questions, which are then not asked. */
export type StudyPromptFormat = PromptFormat | "few-shot";

export interface GenerateRunsOptions extends StepControl {
  /** A loaded model, which runs on the local engine, or another backend. */
  readonly model: LanguageModel | AnswerBackend;
  readonly sampler: SamplerSettings;
  /** Where the sampler's settings come from, for the record; see `resolveSampler`. */
  readonly samplerSources?: ResolvedSampler["sources"];
  /** How `--dtype auto` was resolved, for the record. */
  readonly dtypeChoice?: DtypeChoice | null | undefined;
  /** K: samples per question. */
  readonly runs?: number | undefined;
  /**
   * `best`: in place of samples one careful answer per question, which counts as the model's own; written to
   * `data/{set}_best_runs.jsonl`.
   */
  readonly answers?: AnswerRole;
  readonly limit?: number | undefined;
  /** In a plan: the future content of the question file, which an earlier step will write. */
  readonly pendingQuestions?: readonly Question[] | undefined;
  readonly seed?: number | undefined;
  readonly promptFormat?: StudyPromptFormat | undefined;
  readonly systemPrompt?: string | undefined;
  readonly enableThinking?: boolean | undefined;
  /** `auto`: `math` where most reference answers are mathematical, else `contains`. */
  readonly correctness?: Grader | "auto" | undefined;
  /** For `judge`. */
  readonly judge?: JudgeChoice | undefined;
  /** For `labels`: the path of the user's file; see `readUserLabels`. */
  readonly labels?: string | undefined;
  /** Sample no more of the `runs` answers than it takes to tell on which side of a threshold a question is. */
  readonly adaptive?: AdaptiveOptions | undefined;
  /** Also read the hidden states that a trace of these answers will take over, in the passes that sample them. */
  readonly states?: StatesWhileSampling | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What a trace of the answers will read. */
export interface StatesWhileSampling extends TracePlaces {
  /** That the trace will read with: of the same model as samples the answers. */
  readonly backend: StateBackend;
}

/** What a generate step will do, resolved before it starts. */
export interface GenerationPlan {
  readonly backend: AnswerBackend;
  /** Those that are asked. */
  readonly questions: readonly Question[];
  readonly runs: number;
  /** All that an answer's tokens depend on, beside its question and its run id. */
  readonly sampling: Readonly<Record<string, Json>>;
  /** What decides which answers there are and how they are graded, but not their tokens. */
  readonly grading: Readonly<Record<string, Json>>;
  readonly recording: RecordRunsOptions;
  readonly leftOutAsShots: number;
  readonly notes: readonly string[];
  readonly warnings: readonly ManifestWarning[];
}

/** Resolves what is asked, how, and by which rule answers will be graded. */
export async function planGeneration(
  workspace: Workspace,
  set: DataSetName,
  options: GenerateRunsOptions,
): Promise<GenerationPlan> {
  const backend = answerBackendOf(options.model);
  const { model, identity } = backend;
  if (options.states !== undefined) requireStates(backend);
  const { answers = "samples", limit, seed = defaultOf(SEED.seed), systemPrompt, enableThinking } = options;
  const { runs = answers === "best" ? 1 : defaultOf(GENERATE_SETTINGS.runs) } = options;
  const stream = answers === "best" ? answers : undefined;
  const { questions: all, problems } =
    options.pendingQuestions === undefined
      ? await loadIfThere(workspace.raw(set), limit)
      : { questions: options.pendingQuestions, problems: [] };
  const format = resolveFormat(options.promptFormat ?? "auto", all, model);
  const questions =
    typeof format === "object" && format.kind === "few-shot" ? leaveOutShots(all, format.shots) : all;
  if (questions.length === 0 && all.length > 0) {
    throw new SepError(
      "too-few-questions",
      `All ${all.length} ${set} questions are shots of the few-shot prompt, and a shot is never asked. Use more questions, or give other shots with --shots.`,
    );
  }
  const { correctness: asked = "auto" } = options;
  const correctness = asked === "auto" ? chooseCorrectness(questions) : asked;
  const sampler = {
    ...options.sampler,
    stopStrings: [...new Set([...options.sampler.stopStrings, ...stopStringsOf(format)])],
  };
  return {
    backend,
    // last: what all questions decide is the same in every shard
    questions: questions.filter(({ id }) => isInShard(id, workspace.shard)),
    runs,
    sampling: {
      dataset: set,
      model: identity,
      sampler,
      seed,
      prompt_format: describePromptFormat(format),
      system_prompt: systemPrompt ?? null,
      enable_thinking: enableThinking ?? null,
      ...(stream === undefined ? {} : { stream }),
    },
    grading: {
      runs,
      limit: limit ?? null,
      correctness,
      sampler_sources: options.samplerSources === undefined ? null : { ...options.samplerSources },
    },
    recording: {
      dataset: set,
      sampler,
      seed,
      correctness,
      promptFormat: format,
      systemPrompt,
      enableThinking,
      stream,
    },
    leftOutAsShots: all.length - questions.length,
    notes: [
      ...(asked === "auto" && correctness !== "math"
        ? [`answers are graded as open ones (${correctness})`]
        : []),
      ...[describeUnfollowed(model, sampler)].filter((note) => note !== null),
    ],
    warnings: [
      ...warnOfLines(problems.length, describeProblems(problems)),
      ...warnOfSingles(runs, answers),
      ...warnOfThinking(model, questions[0], { format, systemPrompt, enableThinking }),
    ],
  };
}

/** @throws SepError `bad-option` for a backend that does not read states while it samples */
function requireStates({ name, readsStates }: AnswerBackend): void {
  const { obstacle } = readsStates ?? {
    obstacle: `the backend ${name} does not read hidden states while it samples`,
  };
  if (obstacle === null) return;
  throw new SepError(
    "bad-option",
    `Got --with-states, but ${obstacle}. Omit --with-states, and read them with \`sep trace\` afterwards.`,
  );
}

/** A missing file is for the step itself to report. */
const loadIfThere = async (
  path: string,
  limit: number | undefined,
): Promise<Pick<LoadedQuestions, "questions" | "problems">> =>
  (await fileExists(path)) ? loadQuestions(path, { limit }) : { questions: [], problems: [] };

function resolveFormat(
  asked: StudyPromptFormat,
  questions: readonly Question[],
  { tokenizer }: ModelProfile,
): Exclude<PromptFormat, "auto"> {
  if (asked === "few-shot") return { kind: "few-shot", shots: takeShots(questions) };
  const format = resolvePromptFormat(asked, tokenizer);
  const showsContexts = questions.some(({ context }) => context !== undefined);
  return typeof format === "object" && format.kind === "few-shot" && !showsContexts
    ? { ...format, shots: format.shots.map(({ question, answer }) => ({ question, answer })) }
    : format;
}

function warnOfLines(count: number, reasons: string): ManifestWarning[] {
  return count === 0
    ? []
    : [{ code: "bad-lines", message: `${count} question lines were left out: ${reasons}` }];
}

/** Whoever wants accuracies or best answers only may sample single ones. */
function warnOfSingles(runs: number, answers: AnswerRole): ManifestWarning[] {
  if (runs > 1 || answers === "best") return [];
  const message =
    "One answer per question has no semantic entropy, and `sep entropy` will refuse these runs. Sample more with --runs 2 or more; the existing answers are kept.";
  return [{ code: "one-sample", message }];
}

/** A template that does not know the switch renders the same prompt either way. */
function warnOfThinking(
  { tokenizer }: ModelProfile,
  question: Question | undefined,
  options: {
    readonly format: PromptFormat;
    readonly systemPrompt: string | undefined;
    readonly enableThinking: boolean | undefined;
  },
): ManifestWarning[] {
  if (options.enableThinking === undefined || question === undefined) return [];
  const { question: words, context } = question;
  const asked = buildPrompt(tokenizer, words, { ...options, context });
  const plain = buildPrompt(tokenizer, words, { ...options, context, enableThinking: undefined });
  if (options.enableThinking || asked.text !== plain.text) return [];
  return [
    {
      code: "thinking-not-switchable",
      message:
        "Reasoning was to be switched off, and the prompt does not change by it: this model's chat template has no such switch, or the prompt format does not use the template.",
    },
  ];
}

/** How questions are prompted, with the files that the settings name already read. */
export interface ReadPrompt {
  readonly promptFormat: StudyPromptFormat;
  readonly systemPrompt: string | undefined;
  /** undefined leaves it to the chat template. */
  readonly enableThinking: boolean | undefined;
}

/**
 * @throws SepError `bad-option` for a file that is not there or not a template; as `locateQuestions` and `loadQuestions` for
 *   shots
 */
export async function* readPrompt(
  settings: SettingsOutput<typeof PROMPT>,
  options: LocateQuestionsOptions,
): AsyncGenerator<StepEvent, ReadPrompt> {
  return {
    promptFormat: yield* readPromptFormat(settings.promptFormat, settings.shots, options),
    systemPrompt: await readSystemPrompt(settings.systemPrompt),
    enableThinking: settings.noThinking ? false : undefined,
  };
}

/** A prompt format by its name, or the template of a file. @throws SepError as {@link readPrompt} */
export async function* readPromptFormat(
  name: string,
  shots: string | undefined,
  { hub, signal }: LocateQuestionsOptions,
): AsyncGenerator<StepEvent, StudyPromptFormat> {
  if (name === "few-shot") {
    if (shots === undefined) return name;
    const located = yield* locateQuestions(shots, { hub, signal });
    const { questions } = await loadQuestions(located, { limit: SHOT_COUNT });
    return { kind: "few-shot", shots: takeShots(questions) };
  }
  if (shots !== undefined) {
    throw new SepError(
      "bad-option",
      `Got --shots with --prompt-format ${name}, expected --prompt-format few-shot.`,
    );
  }
  const plain = PLAIN_PROMPT_FORMATS.find((format) => format === name);
  if (plain !== undefined) return plain;
  const text = await readIfThere(name);
  if (text === null) {
    throw new SepError(
      "bad-option",
      `Got --prompt-format ${name}, expected ${PLAIN_PROMPT_FORMATS.join(", ")}, few-shot, or the file of a prompt template; there is no such file.`,
    );
  }
  return { kind: "template", template: createPromptTemplate(name, text) };
}

/** The text itself, or the content of `@FILE` without the line break at its end. */
export async function readSystemPrompt(given: string | undefined): Promise<string | undefined> {
  if (given === undefined || !given.startsWith("@")) return given;
  const text = await readIfThere(given.slice(1));
  if (text !== null && text.trim() !== "") return text.replace(/\r?\n$/, "");
  throw new SepError(
    "bad-option",
    `Got --system-prompt ${given}, but ${text === null ? "there is no such file" : "that file is empty"}. Give a file with the prompt in it, or the prompt itself.`,
  );
}
