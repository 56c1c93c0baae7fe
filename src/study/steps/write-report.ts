import { readFile, rm, stat } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { looksLikePath, POCKET_MODEL } from "../../checkpoint/locate-checkpoint.ts";
import { nameObserver } from "../../engine/observation.ts";
import type { StoredSemanticEntropy } from "../../entropy/semantic-entropy-record.ts";
import { SepError } from "../../errors.ts";
import type { SplitScores } from "../../evaluation/evaluate-split.ts";
import type { ProbeEval, ProbeSummary } from "../../evaluation/probe-eval.ts";
import type { StudyScoreName } from "../../evaluation/score-names.ts";
import type { SeedsSummary } from "../../evaluation/summarise-seeds.ts";
import type { TransferEval } from "../../evaluation/transfer-eval.ts";
import { listTableNames, listTables, makeTables } from "../../report/evaluation-tables.ts";
import {
  FIGURE_FORMATS,
  type FigureFormat,
  type FigureName,
  figureCsv,
  listFigures,
} from "../../report/figure.ts";
import {
  describeQuestions,
  type ReportContent,
  type ReportQuestion,
  type ReportSubject,
} from "../../report/report-content.ts";
import { formatTable, TABLE_FORMATS } from "../../report/table.ts";
import type { Question } from "../../samples/question.ts";
import { readRuns } from "../../samples/read-runs.ts";
import type { RunRecord } from "../../samples/run-record.ts";
import { groupByQuestion, samplesOf } from "../../samples/samples.ts";
import { fingerprintFile } from "../../store/fingerprint.ts";
import { readJsonl } from "../../store/jsonl.ts";
import { type Manifest, type ManifestWarning, readManifest } from "../../store/manifest.ts";
import { manifestPathOf, nameWithin } from "../../store/output-ownership.ts";
import { fileExists } from "../../store/read-file.ts";
import { writeAtomic } from "../../store/write-atomic.ts";
import { formatNumber } from "../../text/format-numbers.ts";
import { createRedactor, redactStrings } from "../../text/redact.ts";
import { isCurrent, openChain } from "../chain.ts";
import { requireInput } from "../decide-step.ts";
import { readSemanticEntropy } from "../entropy/read-semantic-entropy.ts";
import { hasOodSplit, listStudyInputs, scoreStudy } from "../probes/score-study.ts";
import { REPORT_SETTINGS } from "../settings/probes.ts";
import { resolveSettings, type SettingsInput } from "../settings/setting.ts";
import {
  readTool,
  runStep,
  type StepControl,
  type StepEvent,
  type StepOutcome,
  type StepResult,
} from "../step.ts";
import { type DataSetName, SPLIT_SOURCES, type Workspace } from "../workspace.ts";
import { isPrintable, loadFigurePrinter } from "./print-figure.ts";

export interface WriteReportOptions extends StepControl, SettingsInput<typeof REPORT_SETTINGS> {
  /** A `transfer.json` to show; by default the study's own, if there is one. */
  readonly transfer?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

const STEP = { step: "report", part: "" } as const;

/**
 * Shows an evaluated study: `report.html`, and each of its figures in `figures/` beside it, in the formats asked for and
 * as CSV. Files in formats that are no longer requested are removed, since they would become outdated.
 * @throws SepError `missing-input`, `bad-artifact`, `figures-unavailable`, and those of `runStep`
 */
export async function* writeReport(
  workspace: Workspace,
  { transfer, force, plan, signal, ...options }: WriteReportOptions = {},
): AsyncGenerator<StepEvent, StepResult> {
  const { figures: asked } = resolveSettings(REPORT_SETTINGS, options);
  await requireInput(workspace.probeEval, STEP.step);
  const withOod = await hasOodSplit(workspace);
  const compared =
    transfer === undefined ? yield* findOwn(workspace.transfer, "sep transfer") : resolve(transfer);
  const repeated = yield* findOwn(workspace.seeds, "sep eval --seeds");
  const names = listFigures(withOod, compared !== null);
  const previous = await readManifest(manifestPathOf(workspace.report));
  const formats =
    asked === undefined ? formatsOf(previous) : FIGURE_FORMATS.filter((each) => asked.includes(each));
  const endings = [...formats, "csv"];
  const files = [
    ...names.flatMap((name) => endings.map((ending) => workspace.figure(`${name}.${ending}`))),
    ...listTableNames(withOod, repeated !== null).flatMap((name) =>
      TABLE_FORMATS.map((ending) => workspace.table(`${name}.${ending}`)),
    ),
  ];
  const definition = {
    ...STEP,
    inputs: [
      workspace.probeEval,
      ...(compared === null ? [] : [compared]),
      ...(repeated === null ? [] : [repeated]),
      ...(await listStudyInputs(workspace, withOod)),
    ],
    outputs: [workspace.report, ...files],
    settings: {
      transfer: compared === null ? null : nameWithin(workspace, compared),
      figures: [...formats],
    },
    whenStale: "redo" as const,
  };
  return yield* runStep(workspace, definition, { force, plan }, async function* (): AsyncGenerator<
    StepEvent,
    StepOutcome
  > {
    // before anything is written: a missing package must not leave half a report
    const printers = await Promise.all(
      formats.map(async (format) => ({ format, print: await loadFigurePrinter(format) })),
    );
    const total = names.length + 1;
    yield { kind: "started", ...STEP, unit: "file", done: 0, total };
    const evaluation = await readArtifact<ProbeEval>(workspace.probeEval, "audit", "sep eval");
    const comparison =
      compared === null ? null : await readArtifact<TransferEval>(compared, "matrix", "sep transfer");
    const seeds =
      repeated === null ? null : await readArtifact<SeedsSummary>(repeated, "seeds", "sep eval --seeds");
    const content = await gatherReport(workspace, evaluation, { transfer: comparison, seeds });
    const { figureSvg, makeFigures, renderReport } = await loadDrawing();
    const figures = makeFigures(content);
    const tables = makeTables(evaluation, seeds);
    await writeAtomic(workspace.report, renderReport(content, figures, tables, formats));
    for (const table of listTables(tables))
      for (const format of TABLE_FORMATS)
        await writeAtomic(workspace.table(`${table.name}.${format}`), formatTable(table, format));
    yield { kind: "advanced", ...STEP, done: 1, total, detail: "page" };
    const unprintable: FigureName[] = [];
    for (const [i, name] of names.entries()) {
      signal?.throwIfAborted();
      const figure = figures.get(name)!;
      const svg = figureSvg(figure);
      if (formats.some((format) => format !== "svg") && !isPrintable(svg)) unprintable.push(name);
      for (const { format, print } of printers)
        await writeAtomic(workspace.figure(`${name}.${format}`), await print(svg, figure.heading));
      await writeAtomic(workspace.figure(`${name}.csv`), figureCsv(figure));
      yield { kind: "advanced", ...STEP, done: i + 2, total, detail: name };
    }
    if (previous !== null) await removeDropped(workspace, previous, definition.outputs);
    const warnings = unprintable.length === 0 ? [] : [describeLetters(unprintable)];
    for (const warning of warnings) yield { kind: "warning", ...STEP, warning };
    return { counts: { figures: names.length }, warnings };
  });
}

/** What no longer fits the study is left out; it takes long, or covers other studies, so it is not made again here. */
async function* findOwn(path: string, maker: string): AsyncGenerator<StepEvent, string | null> {
  if (!(await fileExists(path))) return null;
  const file = await openChain().inspect(path);
  if (isCurrent(file)) return path;
  const message = `${path} is ${file.state} (${file.reasons.join(", ")}) and is left out; \`${maker}\` makes it anew`;
  yield { kind: "note", ...STEP, message };
  return null;
}

/** The formats of the files that a report has; those of earlier versions of this package are SVG. */
function formatsOf(report: Manifest | null): readonly FigureFormat[] {
  const there = Object.keys(report?.outputs ?? {});
  const found = FIGURE_FORMATS.filter((format) => there.some((path) => path.endsWith(`.${format}`)));
  return found.length === 0 ? ["svg"] : found;
}

/** Removes files of the previous report that are not part of this one, unless they were edited. */
async function removeDropped(
  workspace: Workspace,
  { outputs }: Manifest,
  kept: readonly string[],
): Promise<void> {
  const names = new Set(kept.map((path) => nameWithin(workspace, path)));
  for (const [name, written] of Object.entries(outputs)) {
    const path = resolve(workspace.root, name);
    if (names.has(name) || !(await fileExists(path))) continue;
    if ((await fingerprintFile(path)) === written) await rm(path);
  }
}

const describeLetters = (names: readonly FigureName[]): ManifestWarning => ({
  code: "missing-letters",
  message: `The font of PDF and PNG figures lacks letters in ${names.join(", ")}, which show as boxes: it covers Latin, Greek, Cyrillic and Hebrew. Use the SVG.`,
});

/** @param key one that every such file has */
async function readArtifact<T>(path: string, key: keyof T & string, maker: string): Promise<T> {
  const bad = (found: string, cause?: unknown): SepError =>
    new SepError("bad-artifact", `${path} was not written by \`${maker}\`: ${found}. Run it again.`, {
      cause,
    });
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    throw bad("it cannot be read as JSON", error);
  }
  if (typeof value !== "object" || value === null || !(key in value)) throw bad(`it has no \`${key}\``);
  return value as T;
}

/**
 * Collects what the report shows.
 * @param beside what is shown beside the evaluation, null for none
 * @throws SepError `missing-input`, `bad-artifact`, `probe-mismatch`
 */
async function gatherReport(
  workspace: Workspace,
  evaluation: ProbeEval,
  beside: Pick<ReportContent, "transfer" | "seeds">,
): Promise<ReportContent> {
  const { probes, splits } = await scoreStudy(workspace);
  const scoresOf = (name: string): SplitScores<StudyScoreName> | undefined =>
    splits.find(({ split }) => split === name)?.scores;
  const test = scoresOf("math_test")!;
  const ood = scoresOf("ood_test");
  const { accuracy, se } = probes;
  const trained = accuracy.kind === "untrained" ? se : accuracy;
  const texts = await readTexts(workspace, "math");
  const oodTexts = ood === undefined ? null : await readTexts(workspace, "ood");
  return {
    subject: await describeSubject(workspace, evaluation, texts.runs, oodTexts?.runs ?? []),
    evaluation,
    testScores: test,
    layerScores: trained.kind === "untrained" ? [] : trained.training.layer_scores,
    entropies: texts.entropies.map((record) => record.discrete_semantic_entropy),
    questions: {
      math_test: describe(test, texts),
      ...(ood === undefined || oodTexts === null ? {} : { ood_test: describe(ood, oodTexts) }),
    },
    ...beside,
    settings: describeSettings(evaluation, texts.runs),
  };
}

interface StudyTexts {
  readonly entropies: readonly StoredSemanticEntropy[];
  readonly runs: readonly RunRecord[];
  readonly questions: readonly Question[];
}

const describe = (
  scores: SplitScores<StudyScoreName>,
  { entropies, runs, questions }: StudyTexts,
): ReportQuestion[] =>
  describeQuestions(
    scores,
    entropies,
    [...groupByQuestion(runs).values()].map((own) => samplesOf(own)),
    questions,
  );

/** A set's answers and questions; empty where other tools did not write them. */
async function readTexts(workspace: Workspace, set: DataSetName): Promise<StudyTexts> {
  const [entropyPath, runsPath, rawPath] = [
    workspace.semanticEntropy(set),
    workspace.runs(set),
    workspace.raw(set),
  ];
  return {
    entropies: (await fileExists(entropyPath)) ? await readSemanticEntropy(entropyPath) : [],
    runs: (await fileExists(runsPath)) ? (await readRuns(runsPath)).runs : [],
    questions: (await fileExists(rawPath))
      ? (await readJsonl(rawPath, { parse: (value) => value as Question })).rows
      : [],
  };
}

/** What the page is about; a name from another tool is redacted as settings are. */
async function describeSubject(
  workspace: Workspace,
  { source }: ProbeEval,
  ...sets: readonly (readonly RunRecord[])[]
): Promise<ReportSubject> {
  const [first] = sets.flat(1);
  const counted: { readonly name: string; readonly count: number }[] = [];
  for (const [i, set] of SPLIT_SOURCES.entries()) {
    const own = sets[i] ?? [];
    if (own.length === 0) continue;
    const source = (await readManifest(manifestPathOf(workspace.raw(set))))?.settings.source;
    const name = typeof source === "string" ? basename(source) : own[0]!.dataset;
    counted.push({ name, count: new Set(own.map((run) => run.question_id)).size });
  }
  const perQuestion = sets.flatMap((runs) => [...groupByQuestion(runs).values()].map((own) => own.length));
  const most = Math.max(0, ...perQuestion);
  const redact = createRedactor([]).message;
  return {
    model: redact(nameModel(first?.model ?? source.model ?? "unknown model")),
    isEmbedded: first?.model === POCKET_MODEL,
    observer: nameObserver(source) === null ? null : redact(nameModel(source.model ?? "")),
    questionCounts: counted.map(({ name, count }) => ({ name: redact(name), count })),
    samples:
      most === 0
        ? null
        : `${perQuestion.every((count) => count === most) ? "" : "up to "}${most} ${most === 1 ? "sample" : "samples"} per question`,
    date: (await stat(workspace.probeEval)).mtime.toISOString().slice(0, 10),
  };
}

/** A report is shown to others: what a model on this machine is called, and not where it is. */
const nameModel = (reference: string): string => (looksLikePath(reference) ? basename(reference) : reference);

/** Names and values of everything that determined a study, for its report. */
function describeSettings(
  { probes, se_threshold, settings, source }: ProbeEval,
  runs: readonly RunRecord[],
): [string, string][] {
  const tool = readTool();
  const questions = new Set(runs.map((run) => run.question_id)).size;
  const first = runs[0];
  const rows: [string, string][] = [
    ["Tool", `${tool.name} ${tool.version}`],
    ["Model", first?.model ?? "unknown"],
    ...[nameObserver(source)].flatMap((line): [string, string][] =>
      line === null ? [] : [["Observer", line]],
    ),
    ["Questions and samples", `${questions} questions, ${runs.length} samples`],
    ["Sampler", first === undefined ? "unknown" : describePairs({ ...first.sampler, seed: first.seed })],
    ["Accuracy probe", probeSetting(probes.accuracy_probe)],
    ["SE probe", probeSetting(probes.se_probe)],
    ["Entropy baseline", probeSetting(probes.entropy_baseline)],
    ["SE threshold", `${formatNumber(se_threshold.threshold, 4)} nats (${se_threshold.method})`],
    [
      "Inference",
      `${settings.resamples} resamples, ${settings.permutations} permutations, seed ${settings.seed}`,
    ],
    ...Object.entries(source).map(([name, value]): [string, string] => [`Trace: ${name}`, value]),
  ];
  // reports are shared, and an imported study may give its model any name
  return redactStrings(rows, createRedactor([]).message);
}

function probeSetting(probe: ProbeSummary | null): string {
  if (probe === null) return "not trained";
  const place = probe.position === null ? "mean think entropy" : `${probe.position}, layer ${probe.layer}`;
  const score = probe.cv_auc === null ? "" : `, cross-validated AUROC ${formatNumber(probe.cv_auc)}`;
  return `${place}, C = ${probe.C}, ${probe.training_rows} rows of ${probe.training_questions} questions${score}`;
}

const describePairs = (values: Readonly<Record<string, unknown>>): string =>
  Object.entries(values)
    .map(([name, value]) => `${name} ${Array.isArray(value) ? JSON.stringify(value) : value}`)
    .join(", ");

interface Drawing {
  readonly figureSvg: typeof import("../../report/figure-svg.ts").figureSvg;
  readonly makeFigures: typeof import("../../report/make-figures.ts").makeFigures;
  readonly renderReport: typeof import("../../report/render-report.ts").renderReport;
}

/** What draws, with its library of charts and its DOM: they take longer to load than many a command takes. */
async function loadDrawing(): Promise<Drawing> {
  const [{ figureSvg }, { makeFigures }, { renderReport }] = await Promise.all([
    import("../../report/figure-svg.ts"),
    import("../../report/make-figures.ts"),
    import("../../report/render-report.ts"),
  ]);
  return { figureSvg, makeFigures, renderReport };
}
