import { basename } from "node:path";
import { SepError } from "../../errors.ts";
import { loadQuestions, locateQuestions } from "../../samples/load-questions.ts";
import { fingerprintFile } from "../../store/fingerprint.ts";
import { describeProblems, writeJsonl } from "../../store/jsonl.ts";
import type { ManifestWarning } from "../../store/manifest.ts";
import { fileExists } from "../../store/read-file.ts";
import { findShared, groupDuplicates, nameSome, warnOfDuplicates } from "../question-overlap.ts";
import { readGivenSplit } from "../question-splits.ts";
import { runStep, type StepControl, type StepEvent, type StepOutcome, type StepResult } from "../step.ts";
import type { DataSetName, Workspace } from "../workspace.ts";

export interface PrepareQuestionsOptions extends StepControl {
  /** A built-in set's name, or the path of a JSONL file; see `loadQuestions`. */
  readonly source: string;
  /** Take the first so many questions. */
  readonly limit?: number | undefined;
}

/**
 * Step 1: writes one question set to `data/{set}_raw.jsonl`.
 * @throws SepError as `loadQuestions` and `runStep`
 */
export async function* prepareQuestions(
  workspace: Workspace,
  set: DataSetName,
  { source, limit, force, plan }: PrepareQuestionsOptions,
): AsyncGenerator<StepEvent, StepResult> {
  const { questions, problems, format, path } = await loadQuestions(source, { limit });
  const definition = {
    step: "prepare",
    part: set,
    // The path of the source may differ between machines; its content counts, so its hash is in the settings.
    inputs: [],
    outputs: [workspace.raw(set)],
    settings: {
      source: locateQuestions(source).builtIn ? source : basename(path),
      source_sha256: await fingerprintFile(path),
      limit: limit ?? null,
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
      message: `${path}: ${total} questions, format ${format}`,
    };
    if (problems.length > 0) {
      const warning = {
        code: "bad-lines",
        message: `${problems.length} lines of ${basename(path)} were left out: ${describeProblems(problems)}`,
      };
      warnings.push(warning);
      yield { kind: "warning", step: "prepare", part: set, warning };
    }
    await writeJsonl(workspace.raw(set), questions);
    yield { kind: "advanced", step: "prepare", part: set, done: total, total };
    return { counts: { questions: total, bad_lines: problems.length }, warnings };
  });
  if (plan === undefined) yield* warnOfOverlap(workspace, set);
  return result;
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
