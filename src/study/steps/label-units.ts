import { rm } from "node:fs/promises";
import type { UnitPosition } from "../../engine/places.ts";
import { SepError } from "../../errors.ts";
import { type Json, stableStringify } from "../../formats/json.ts";
import type { Entailer } from "../../meaning/entailer.ts";
import { mapConcurrently } from "../../net/map-concurrently.ts";
import type { AnswerBackend } from "../../samples/answer-backend.ts";
import { loadQuestions } from "../../samples/load-questions.ts";
import { readRuns } from "../../samples/read-runs.ts";
import type { RunRecord } from "../../samples/run-record.ts";
import { groupByQuestion, runKey } from "../../samples/samples.ts";
import { parseUnitValue, type UnitValue } from "../../samples/unit-values.ts";
import { readStateRowIndex, type StateUnit } from "../../states/state-index.ts";
import { openJsonlAppender } from "../../store/append-jsonl.ts";
import { fingerprintFile } from "../../store/fingerprint.ts";
import { partialPathOf, removeJournal, resumeJournal } from "../../store/journal.ts";
import { writeJsonl } from "../../store/jsonl.ts";
import { type ManifestWarning, readManifest } from "../../store/manifest.ts";
import { manifestPathOf } from "../../store/output-ownership.ts";
import { createMeaningModels, type MeaningModels } from "../meaning/meaning-models.ts";
import { type MeaningChoice, openEquivalence, resolveEquivalence } from "../meaning/open-equivalence.ts";
import { LABEL_SETTINGS } from "../settings/label.ts";
import { resolveSettings, type SettingsInput } from "../settings/setting.ts";
import { runStep, type StepControl, type StepEvent, type StepOutcome, type StepResult } from "../step.ts";
import { tracedAnswersPath } from "../study-answers.ts";
import { branchAnswer } from "../units/branch-answer.ts";
import { measureInconsistency } from "../units/measure-inconsistency.ts";
import type { DataSetName, Workspace } from "../workspace.ts";

export interface LabelUnitsOptions
  extends StepControl,
    SettingsInput<typeof LABEL_SETTINGS>,
    Omit<MeaningChoice, "label"> {
  /** Samples the continuations of `clusters`; not needed for `inconsistent`. */
  readonly model?: AnswerBackend | undefined;
  /** Where NLI models and others come from. */
  readonly models?: MeaningModels | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Measures parts of answers, of which `sep dataset --label` makes labels: how far the other samples leave each open, or how much the
 * answers that go on from its end disagree. An interrupted step goes on where it stopped.
 * @throws SepError `missing-input`; `bad-option` for parts that were not traced, a study without an NLI model or with another one, greedy
 *   answers, or another model than the answers'; those of `runStep`
 */
export async function* labelUnits(
  workspace: Workspace,
  set: DataSetName,
  { model: backend, models = createMeaningModels(), force, plan, signal, ...options }: LabelUnitsOptions,
): AsyncGenerator<StepEvent, StepResult> {
  const { label, position, branch, branchTokens = null } = resolveSettings(LABEL_SETTINGS, options);
  const output = workspace.unitValues(set, label);
  const answers = await tracedAnswersPath(workspace, set);
  const studied = await readEquivalence(workspace, set);
  if (label === "inconsistent") requireNli(studied);
  if (label === "clusters" && backend === undefined)
    throw new SepError(
      "bad-option",
      "Got the label clusters without a model. Name the one that sampled the answers.",
    );
  const settings = {
    label,
    position,
    equivalence: studied,
    ...(backend === undefined || label !== "clusters"
      ? {}
      : { model: backend.identity, branch, branch_tokens: branchTokens }),
  };
  const inputs = [
    answers,
    ...(answers === workspace.runs(set) ? [] : [workspace.runs(set)]),
    workspace.hiddenStatesIndex(set),
    workspace.semanticEntropy(set),
    ...(label === "clusters" ? [workspace.raw(set)] : []),
  ];
  const definition = {
    step: "label",
    part: `${set} ${label}`,
    inputs,
    outputs: [output],
    settings,
    whenStale: "redo",
    cleanUp: () => removeJournal(partialPathOf(output)),
  } as const;
  return yield* runStep(workspace, definition, { force, plan }, async function* () {
    const parts = await planParts(workspace, set, answers, position);
    const about = { step: "label", part: definition.part } as const;
    const journal = { ...settings, runs_sha256: await fingerprintFile(answers) };
    const measuring =
      label === "inconsistent"
        ? measureAgainstOthers(workspace, set, studied, { ...options, models, signal })
        : measureBranches(workspace, set, studied, backend!, {
            ...options,
            branch,
            branchTokens: branchTokens ?? undefined,
            models,
            signal,
          });
    return yield* measureAll(parts, measuring, { output, about, journal, force: force ?? false, signal });
  });
}

/** An answer and its parts, in their order. */
interface AnswerParts {
  readonly run: RunRecord;
  readonly units: readonly StateUnit[];
}

async function planParts(
  workspace: Workspace,
  set: DataSetName,
  answers: string,
  position: UnitPosition,
): Promise<AnswerParts[]> {
  const index = await readStateRowIndex(workspace.hiddenStatesIndex(set));
  const { runs } = await readRuns(answers);
  const parts = runs.flatMap((run): AnswerParts[] => {
    const units = index.unitsOf(position, run.question_id, run.run_id).filter((unit) => unit !== null);
    return units.length === 0 ? [] : [{ run, units: units.toSorted((a, b) => a.span[1] - b.span[1]) }];
  });
  if (parts.length > 0) return parts;
  throw new SepError(
    "bad-option",
    `None of the ${runs.length} ${set} answers has a ${position} row in the trace. Add ${position} to \`sep trace --positions\`.`,
  );
}

/** Measures the parts of an answer. */
interface Measure extends AsyncDisposable {
  readonly concurrency: number;
  of(parts: AnswerParts, signal: AbortSignal): Promise<readonly UnitValue[]>;
  warnings(): readonly ManifestWarning[];
}

interface MeasureAllOptions {
  readonly output: string;
  readonly about: { readonly step: "label"; readonly part: string };
  /** What the values depend on. */
  readonly journal: Readonly<Record<string, Json>>;
  readonly force: boolean;
  readonly signal: AbortSignal | undefined;
}

async function* measureAll(
  parts: readonly AnswerParts[],
  opening: AsyncGenerator<StepEvent, Measure>,
  { output, about, journal: settings, force, signal }: MeasureAllOptions,
): AsyncGenerator<StepEvent, StepOutcome> {
  const partial = partialPathOf(output);
  const keyOf = ({ run }: AnswerParts): string => runKey(run.question_id, run.run_id);
  const done = await openDone(partial, settings, force);
  const missing = parts.filter((each) => !done.has(keyOf(each)));
  const total = parts.length;
  const warnings: ManifestWarning[] = [];
  yield { kind: "started", ...about, unit: "answer", done: total - missing.length, total };
  if (missing.length > 0) {
    await using measure = yield* opening;
    await using journal = await openJsonlAppender(partial);
    const measured = mapConcurrently(
      missing,
      async (each, abort) => ({ key: keyOf(each), run: each.run, values: await measure.of(each, abort) }),
      { concurrency: measure.concurrency, signal },
    );
    for await (const { key, run, values } of measured) {
      await journal.append([{ question_id: run.question_id, run_id: run.run_id, values }]);
      done.set(key, values);
      yield { kind: "advanced", ...about, done: done.size, total };
    }
    warnings.push(...measure.warnings());
  }
  const rows = parts.flatMap((each) => done.get(keyOf(each)) ?? []);
  await writeJsonl(output, rows);
  await rm(partial, { force: true });
  await removeJournal(partial);
  for (const warning of warnings) yield { kind: "warning", ...about, warning };
  return { counts: { answers: total, parts: rows.length }, warnings };
}

/** What an interrupted step of the same answers and settings has left, by answer. */
async function openDone(
  partial: string,
  settings: Readonly<Record<string, Json>>,
  force: boolean,
): Promise<Map<string, readonly UnitValue[]>> {
  const rows = await resumeJournal(partial, settings, {
    force,
    parse: (value) => {
      const { question_id, run_id, values } = value as UnitValue & { readonly values: readonly unknown[] };
      return [runKey(question_id, run_id), values.map(parseUnitValue)] as const;
    },
  });
  return new Map(rows);
}

/** The relation by which the study's answers were compared, as `sep entropy` recorded it. */
async function readEquivalence(workspace: Workspace, set: DataSetName): Promise<Json> {
  const manifest = await readManifest(manifestPathOf(workspace.semanticEntropy(set)));
  return manifest?.settings.equivalence ?? null;
}

/** @returns the NLI model of a relation */
function nliModelOf(equivalence: Json): Json {
  const { name, model, undecided } = (equivalence ?? {}) as { readonly [key: string]: Json | undefined };
  if (name === "nli") return model ?? null;
  return name === "hybrid" && undecided != null ? nliModelOf(undecided) : null;
}

/** @throws SepError `missing-input` where nothing was compared yet; `bad-option` for a relation without an NLI model */
function requireNli(equivalence: Json): void {
  if (nliModelOf(equivalence) !== null) return;
  const name = (equivalence as { readonly name?: string } | null)?.name;
  if (name === undefined)
    throw new SepError(
      "missing-input",
      "The label inconsistent compares answers by the study's NLI model, and they have not been compared yet. Run `sep entropy --equivalence nli` first.",
    );
  throw new SepError(
    "bad-option",
    `Got the label inconsistent, but the study's answers were compared by the relation ${name}, which has no NLI model to ask what follows from what. Run \`sep entropy --equivalence nli\`, or take the label clusters.`,
  );
}

/** @throws SepError `bad-option` for another model than the study's */
function requireSame(found: Json, studied: Json, what: string): void {
  if (stableStringify(found) === stableStringify(studied)) return;
  throw new SepError(
    "bad-option",
    `Got another ${what} than the study's: ${stableStringify(found)}, expected ${stableStringify(studied)}. Give the same options as to \`sep entropy\`.`,
  );
}

interface MeaningOptions extends MeaningChoice {
  readonly models: MeaningModels;
  readonly signal: AbortSignal | undefined;
}

async function* measureAgainstOthers(
  workspace: Workspace,
  set: DataSetName,
  studied: Json,
  { models, signal, ...choice }: MeaningOptions,
): AsyncGenerator<StepEvent, Measure> {
  const samples = groupByQuestion((await readRuns(workspace.runs(set))).runs);
  const isOfSamples = (await tracedAnswersPath(workspace, set)) === workspace.runs(set);
  const entailer: Entailer = yield* models.openEntailer(choice, signal);
  const counts = { truncated: 0, pairs: 0, alone: 0 };
  try {
    requireSame(entailer.provenance, nliModelOf(studied), "NLI model");
  } catch (error) {
    await entailer[Symbol.asyncDispose]();
    throw error;
  }
  return {
    concurrency: 1,
    async of({ run, units }, abort) {
      const others = (samples.get(run.question_id) ?? [])
        .filter(({ run_id }) => !isOfSamples || run_id !== run.run_id)
        .map(({ output_text }) => output_text);
      if (others.length === 0) {
        counts.alone += 1;
        return [];
      }
      const texts = units.map(({ text, textSpan }) => ({
        text: text ?? run.output_text.slice(...(textSpan ?? [0, 0])),
      }));
      const found = await measureInconsistency(texts, others, entailer, abort);
      counts.pairs += units.length * others.length;
      counts.truncated += found.reduce((sum, { truncated }) => sum + truncated, 0);
      return units.map(({ span }, i) => describeValue(run, span, found[i]!.value, others.length));
    },
    warnings: () => [
      ...(counts.truncated === 0
        ? []
        : [
            {
              code: "nli-truncated",
              message: `${counts.truncated} of ${counts.pairs} pairs of a sample and a part were longer than the NLI model reads, which saw their beginning only.`,
            },
          ]),
      ...(counts.alone === 0
        ? []
        : [
            {
              code: "no-other-samples",
              message: `${counts.alone} answers have no other sample of their question, and were left out.`,
            },
          ]),
    ],
    [Symbol.asyncDispose]: () => entailer[Symbol.asyncDispose](),
  };
}

async function* measureBranches(
  workspace: Workspace,
  set: DataSetName,
  studied: Json,
  backend: AnswerBackend,
  {
    models,
    signal,
    branch,
    branchTokens,
    ...choice
  }: MeaningOptions & { readonly branch: number; readonly branchTokens: number | undefined },
): AsyncGenerator<StepEvent, Measure> {
  const { runs } = await readRuns(await tracedAnswersPath(workspace, set));
  requireBranches(runs, backend);
  const { questions } = await loadQuestions(workspace.raw(set));
  const asked = new Map(questions.map((question) => [question.id, question]));
  const name = resolveEquivalence(choice.equivalence ?? "auto", new Set(runs.map((run) => run.correctness)));
  const opened = yield* openEquivalence(name, choice, { models, leavesPairs: true, signal });
  const sampler = yield* backend.openSampler([], { signal });
  const close = async (): Promise<void> => {
    await sampler[Symbol.asyncDispose]();
    await opened[Symbol.asyncDispose]();
  };
  try {
    requireSame(opened.equivalence.provenance, studied, "relation");
  } catch (error) {
    await close();
    throw error;
  }
  return {
    concurrency: sampler.concurrency,
    async of({ run, units }, abort) {
      const question = asked.get(run.question_id);
      if (question === undefined)
        throw new SepError(
          "bad-option",
          `Question ${run.question_id} of the answers is not in the question file. Use the study's own questions.`,
        );
      const values = await branchAnswer(
        run,
        units.map(({ span }) => span),
        {
          ...{ backend, sampler, question, branch, branchTokens, signal: abort },
          equivalence: opened.equivalence,
          clustering: choice.clustering,
        },
      );
      return units.map(({ span }, i) => describeValue(run, span, values[i]!, branch));
    },
    warnings: () => [],
    [Symbol.asyncDispose]: close,
  };
}

function requireBranches(runs: readonly RunRecord[], { model }: AnswerBackend): void {
  const other = runs.find((run) => run.model !== model.provenance.id);
  if (other !== undefined)
    throw new SepError(
      "bad-option",
      `Got --model ${model.provenance.id}, but ${other.model} wrote the answers. Only the model that wrote an answer can go on with it.`,
    );
  if (runs.some((run) => run.sampler.temperature > 0)) return;
  throw new SepError(
    "bad-option",
    "The answers were sampled at temperature 0, where all continuations are the same. Sample with `sep generate --temperature 1`.",
  );
}

const describeValue = (
  { question_id, run_id }: RunRecord,
  span: readonly [number, number],
  value: number,
  count: number,
): UnitValue => ({ question_id, run_id, span, value, count });
