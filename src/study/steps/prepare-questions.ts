import type { HubOptions } from "../../checkpoint/hub/hub.ts";
import { SepError } from "../../errors.ts";
import { type LoadQuestionsOptions, loadQuestions } from "../../samples/load-questions.ts";
import { locateQuestions } from "../../samples/locate-questions.ts";
import { fingerprint, hashFile } from "../../store/fingerprint.ts";
import { describeProblems, writeJsonl } from "../../store/jsonl.ts";
import type { ManifestWarning } from "../../store/manifest.ts";
import { fileExists } from "../../store/read-file.ts";
import { findShared, groupDuplicates, nameSome, warnOfDuplicates } from "../question-overlap.ts";
import { readGivenSplit } from "../question-splits.ts";
import type { PREPARE_SETTINGS, SEED } from "../settings/sampling.ts";
import type { SettingsOutput } from "../settings/setting.ts";
import { runStep, type StepControl, type StepEvent, type StepOutcome, type StepResult } from "../step.ts";
import type { DataSetName, Workspace } from "../workspace.ts";

export interface PrepareQuestionsOptions extends StepControl, LoadQuestionsOptions {
  /** A built-in set, a data set of the hub, or the path of a file; see `locateQuestions`. */
  readonly source: string;
  /** Where and how to look for data sets; by default from the environment variables. */
  readonly hub?: HubOptions | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Which questions of a set are taken, by a study's settings. */
export const questionChoice = ({
  limit,
  shuffleQuestions,
  unanswerable,
  noContext,
  seed,
}: SettingsOutput<typeof PREPARE_SETTINGS & typeof SEED>): LoadQuestionsOptions => ({
  limit,
  shuffleSeed: shuffleQuestions ? seed : undefined,
  unanswerable,
  noContext,
});

/**
 * Step 1: writes one question set to `data/{set}_raw.jsonl`.
 * @throws SepError as `locateQuestions`, `loadQuestions` and `runStep`
 */
export async function* prepareQuestions(
  workspace: Workspace,
  set: DataSetName,
  { source, hub, signal, force, plan, ...choice }: PrepareQuestionsOptions,
): AsyncGenerator<StepEvent, StepResult> {
  const located = yield* locateQuestions(source, { hub, signal });
  const { questions, problems, leftOut, format } = await loadQuestions(located, choice);
  const { limit, shuffleSeed, unanswerable = "drop", noContext = false } = choice;
  const definition = {
    step: "prepare",
    part: set,
    // The path of the source may differ between machines; its content counts, so its hash is in the settings.
    inputs: [],
    outputs: [workspace.raw(set)],
    settings: {
      source: located.name,
      source_sha256: await hashAll(located.paths),
      limit: limit ?? null,
      ...(located.hub === null ? {} : { commit: located.hub.commit }),
      ...(shuffleSeed === undefined ? {} : { shuffle_seed: shuffleSeed }),
      ...(unanswerable === "drop" ? {} : { unanswerable }),
      ...(noContext ? { no_context: true } : {}),
    },
    whenStale: "redo",
  } as const;
  const result = yield* runStep(workspace, definition, { force, plan }, async function* (): AsyncGenerator<
    StepEvent,
    StepOutcome
  > {
    const total = questions.length;
    const warnings: ManifestWarning[] = [];
    yield { kind: "started", step: "prepare", part: set, unit: "question", done: 0, total };
    yield {
      kind: "note",
      step: "prepare",
      part: set,
      message: `${located.paths.length === 1 ? located.paths[0] : located.name}: ${total} questions, format ${format}`,
    };
    for (const [reason, count] of leftOut)
      yield { kind: "note", step: "prepare", part: set, message: `${count} questions left out: ${reason}` };
    if (problems.length > 0) {
      const warning = {
        code: "bad-lines",
        message: `${problems.length} lines of ${located.name} were left out: ${describeProblems(problems)}`,
      };
      warnings.push(warning);
      yield { kind: "warning", step: "prepare", part: set, warning };
    }
    await writeJsonl(workspace.raw(set), questions);
    yield { kind: "advanced", step: "prepare", part: set, done: total, total };
    return { counts: { questions: total, bad_lines: problems.length, ...countLeftOut(leftOut) }, warnings };
  });
  if (plan === undefined) yield* warnOfOverlap(workspace, set);
  return result;
}

/** Of one file its own hash, which other tools compute as well. */
async function hashAll(paths: readonly string[]): Promise<string> {
  const [first, ...others] = await Promise.all(paths.map(hashFile));
  return others.length === 0 ? first! : fingerprint([first, ...others].join("\n"));
}

function countLeftOut(leftOut: ReadonlyMap<string, number>): Record<string, number> {
  const total = [...leftOut.values()].reduce((sum, count) => sum + count, 0);
  return total === 0 ? {} : { left_out: total };
}

/**
 * Warns before anything is sampled of questions that the study will not count. This depends on both sets, so the warning is repeated
 * each time and is not in this file's manifest; that of the data sets has it.
 */
export async function* warnOfOverlap(
  workspace: Workspace,
  set: DataSetName,
): AsyncGenerator<StepEvent, void> {
  const readTexts = async (of: DataSetName): Promise<ReadonlyMap<string, string>> => {
    if (!(await fileExists(workspace.raw(of)))) return new Map();
    const { questions } = await loadQuestions(workspace.raw(of));
    return new Map(questions.map(({ id, question }) => [id, question]));
  };
  const texts = await readTexts(set);
  const shared = set === "math" ? [] : findShared(texts, (await readTexts("math")).values());
  const message = `${shared.length} of ${texts.size} questions are also in the first set, word for word or nearly so. \`sep dataset\` leaves them out of the second: ${nameSome(shared)}. Give other questions with --ood.`;
  const warnings = [
    ...(await warnOfSplit(workspace, set)),
    ...warnOfDuplicates(groupDuplicates(texts)),
    ...(shared.length === 0 ? [] : [{ code: "shared-questions", message }]),
  ];
  for (const warning of warnings) yield { kind: "warning", step: "prepare", part: set, warning };
}

/** A split is used by `sep dataset`, which may be told to draw another one; only the first set has one. */
async function warnOfSplit(workspace: Workspace, set: DataSetName): Promise<ManifestWarning[]> {
  if (!(await fileExists(workspace.raw(set)))) return [];
  const { questions } = await loadQuestions(workspace.raw(set));
  if (set === "ood")
    return questions.every(({ split }) => split === undefined)
      ? []
      : [
          {
            code: "split-unused",
            message: "The split column of the second set is not used: all of it is out-of-distribution test.",
          },
        ];
  try {
    readGivenSplit(questions);
    return [];
  } catch (error) {
    if (!(error instanceof SepError)) throw error;
    return [{ code: error.code, message: error.message }];
  }
}
