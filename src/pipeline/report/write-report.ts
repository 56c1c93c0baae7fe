import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { SepError } from "../../errors.ts";
import type { ProbeEval } from "../../evaluation/probe-eval.ts";
import type { TransferEval } from "../../evaluation/transfer-eval.ts";
import { figureCsv, figureSvg, listFigures } from "../../report/figure.ts";
import { makeFigures } from "../../report/make-figures.ts";
import { renderReport } from "../../report/render-report.ts";
import { writeAtomic } from "../../store/write-atomic.ts";
import { isCurrent, openChain } from "../chain.ts";
import { requireInput } from "../decide-step.ts";
import { fileExists } from "../file-exists.ts";
import { nameWithin } from "../output-ownership.ts";
import { listStudyInputs } from "../probes/study-inputs.ts";
import { runStep, type StepControl, type StepEvent, type StepOutcome, type StepResult } from "../step.ts";
import type { Workspace } from "../workspace.ts";
import { gatherReport } from "./gather-report.ts";

export interface WriteReportOptions extends StepControl {
  /** A `transfer.json` to show; the study's own, if there is one, when not given. */
  readonly transfer?: string;
  readonly signal?: AbortSignal;
}

const STEP = { step: "report", part: "" } as const;

/**
 * Shows an evaluated study: `report.html`, and each of its figures as SVG and CSV files in `figures/` beside it.
 * @throws SepError `missing-input`, `bad-artefact`, and those of `runStep`
 */
export async function* writeReport(
  workspace: Workspace,
  { transfer, force, plan, signal }: WriteReportOptions = {},
): AsyncGenerator<StepEvent, StepResult> {
  await requireInput(workspace.probeEval, STEP.step);
  const withOod = await fileExists(workspace.probeDataset("ood_test"));
  const compared = transfer === undefined ? yield* findOwnTransfer(workspace) : resolve(transfer);
  const names = listFigures(withOod, compared !== null);
  const files = names.flatMap((name) => [workspace.figure(`${name}.svg`), workspace.figure(`${name}.csv`)]);
  const definition = {
    ...STEP,
    inputs: [
      workspace.probeEval,
      ...(compared === null ? [] : [compared]),
      ...(await listStudyInputs(workspace, withOod)),
    ],
    outputs: [workspace.report, ...files],
    settings: { transfer: compared === null ? null : nameWithin(workspace, compared) },
    whenStale: "redo" as const,
  };
  return yield* runStep(workspace, definition, { force, plan }, async function* (): AsyncGenerator<
    StepEvent,
    StepOutcome
  > {
    const total = names.length + 1;
    yield { kind: "started", ...STEP, unit: "file", done: 0, total };
    const evaluation = await readArtefact<ProbeEval>(workspace.probeEval, "math_test", "sep eval");
    const comparison =
      compared === null ? null : await readArtefact<TransferEval>(compared, "matrix", "sep transfer");
    const content = await gatherReport(workspace, evaluation, comparison);
    const figures = makeFigures(content);
    await writeAtomic(workspace.report, renderReport(content, figures));
    yield { kind: "advanced", ...STEP, done: 1, total, detail: "page" };
    for (const [i, name] of names.entries()) {
      signal?.throwIfAborted();
      const figure = figures.get(name)!;
      await writeAtomic(workspace.figure(`${name}.svg`), figureSvg(figure));
      await writeAtomic(workspace.figure(`${name}.csv`), figureCsv(figure));
      yield { kind: "advanced", ...STEP, done: i + 2, total, detail: name };
    }
    return { counts: { figures: names.length }, warnings: [] };
  });
}

/** A comparison that no longer fits the study is left out: it may be of other studies, so it is not made anew here. */
async function* findOwnTransfer({ transfer }: Workspace): AsyncGenerator<StepEvent, string | null> {
  if (!(await fileExists(transfer))) return null;
  const file = await openChain().inspect(transfer);
  if (isCurrent(file)) return transfer;
  const message = `${transfer} is ${file.state} (${file.reasons.join(", ")}) and is left out; \`sep transfer\` makes it anew`;
  yield { kind: "note", ...STEP, message };
  return null;
}

/** @param key one that every such file has */
async function readArtefact<T>(path: string, key: keyof T & string, maker: string): Promise<T> {
  const bad = (found: string, cause?: unknown): SepError =>
    new SepError("bad-artefact", `${path} is not a file of \`${maker}\`: ${found}. Run it again.`, { cause });
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    throw bad("it cannot be read as JSON", error);
  }
  if (typeof value !== "object" || value === null || !(key in value)) throw bad(`it has no \`${key}\``);
  return value as T;
}
