import { isUnitPosition } from "../../engine/places.ts";
import { PLAIN_PROMPT_FORMATS } from "../../engine/tokenizer/prompt-format.ts";
import { SepError } from "../../errors.ts";
import { type DecisionPoint, decisionCurve } from "../../probes/choose-decision-threshold.ts";
import { requireTrained } from "../../probes/parse-probe.ts";
import type { Probe } from "../../probes/probe.ts";
import { loadQuestions } from "../../samples/load-questions.ts";
import type { Question } from "../../samples/question.ts";
import { type ScoredSplit, type ScoredStudy, scoreStudy } from "../probes/score-study.ts";
import type { StepEvent } from "../step.ts";
import type { Workspace } from "../workspace.ts";
import { fitLayerProbes } from "./fit-layer-probes.ts";

/** What the page shows of a study beside its model and probes: `study.json` of a page. */
export interface PageStudy {
  /** What the model is called. */
  readonly model: string;
  /** Questions that the thresholds were chosen on. */
  readonly calibrationQuestions: number;
  /** What each threshold promises; empty where the probe's rows are parts of answers. */
  readonly curve: readonly DecisionPoint[];
  /** Test questions, from the least to the most uncertain one. */
  readonly examples: readonly string[];
  /** What the probe cannot see: questions that are always answered wrongly, with agreement and a low risk. */
  readonly blindSpots: readonly { readonly question: string; readonly answer: string }[];
}

/** A study for a page. */
export interface GatheredStudy {
  readonly study: PageStudy;
  /** The accuracy probe. */
  readonly probe: Probe;
  /** One probe for each layer; none for a probe that reads no hidden state. */
  readonly layers: readonly Probe[];
}

/**
 * Reads what the page shows of a study, and fits the probes of its map.
 * @throws SepError `missing-input`, `bad-artifact`, `probe-mismatch`; `bad-option` for a study of an observer's states
 */
export async function* gatherPageStudy(
  workspace: Workspace,
  signal?: AbortSignal,
): AsyncGenerator<StepEvent, GatheredStudy> {
  const scored = await scoreStudy(workspace);
  const probe = requireTrained(scored.probes.accuracy, workspace.accuracyProbe);
  if (probe.source.mode === "observer")
    throw new SepError(
      "bad-option",
      `${workspace.accuracyProbe} reads what another model wrote, but on the page the model writes its own answers. Use a study that sampled from the model it traced.`,
    );
  if (probe.features !== "hidden-state")
    throw new SepError(
      "bad-option",
      `${workspace.accuracyProbe} does not read the hidden state of one token, and the page reads each token on its own. Train one without --pooling, at a place of docs/places.md.`,
    );
  if (probe.asking === null || !PLAIN_FORMATS.has(probe.asking.prompt_format))
    throw new SepError(
      "bad-option",
      `${workspace.accuracyProbe} does not record a prompt that the page can build: imported runs, few-shot prompts and templates of one's own have none. Use a study whose runs \`sep generate\` made with the model's chat format.`,
    );
  const layers = yield* fitLayerProbes(workspace, probe, signal);
  return { study: await describeStudy(workspace, scored, probe), probe, layers };
}

const PLAIN_FORMATS: ReadonlySet<unknown> = new Set(["chat", "reasoning", ...PLAIN_PROMPT_FORMATS]);

async function describeStudy(
  workspace: Workspace,
  { splits }: ScoredStudy,
  probe: Probe,
): Promise<PageStudy> {
  const byName = (name: string): ScoredSplit | undefined => splits.find(({ split }) => split === name);
  const { scores } = byName("math_val") as ScoredSplit;
  const decides = probe.position === null || !isUnitPosition(probe.position);
  const test = summariseQuestions(byName("math_test") as ScoredSplit);
  const ood = byName("ood_test");
  const texts = await readQuestions(workspace, ood === undefined ? ["math"] : ["math", "ood"]);
  const textOf = ({ id }: QuestionSummary): string => (texts.get(id) as Question).question;
  const known = test.filter(({ id, risk }) => texts.has(id) && !Number.isNaN(risk));
  const blind = [...(ood === undefined ? [] : summariseQuestions(ood)), ...test]
    .filter(
      ({ id, risk, wrong, entropy }) =>
        texts.has(id) && !Number.isNaN(risk) && wrong === 1 && entropy < AGREEMENT,
    )
    .sort((a, b) => a.risk - b.risk)
    .slice(0, BLIND_SPOTS);
  return {
    model: probe.source.model ?? "model",
    calibrationQuestions: new Set(scores.questionGroups).size,
    curve: decides
      ? decisionCurve(scores.byName.accuracy_probe, scores.incorrect, scores.questionGroups)
      : [],
    examples: spread(known, EXAMPLES).map(textOf),
    blindSpots: blind.map((summary) => ({
      question: textOf(summary),
      answer: (texts.get(summary.id) as Question).answer,
    })),
  };
}

const EXAMPLES = 4;
const BLIND_SPOTS = 3;
/** Nats; entropies of equal counts may differ from 0 in the last bits. */
const AGREEMENT = 1e-9;

/** One question's answers together. */
interface QuestionSummary {
  readonly id: string;
  /** Mean of P(incorrect); NaN where no answer has a score. */
  readonly risk: number;
  /** Share of its answers. */
  readonly wrong: number;
  /** By counts, nats. */
  readonly entropy: number;
}

/** By rising risk. */
function summariseQuestions({ scores }: ScoredSplit): QuestionSummary[] {
  const rows = new Map<string, number[]>();
  for (const [row, id] of scores.questionIds.entries()) rows.set(id, [...(rows.get(id) ?? []), row]);
  const mean = (own: readonly number[], values: ArrayLike<number>): number =>
    own.reduce((sum, row) => sum + (values[row] as number), 0) / own.length;
  return [...rows]
    .map(([id, own]) => ({
      id,
      risk: mean(
        own.filter((row) => !Number.isNaN(scores.byName.accuracy_probe[row])),
        scores.byName.accuracy_probe,
      ),
      wrong: mean(own, scores.incorrect),
      entropy: mean(own, scores.byName.discrete_semantic_entropy),
    }))
    .sort((a, b) => a.risk - b.risk);
}

/** Some of the items, evenly spread, the first and the last among them. */
const spread = <Item>(items: readonly Item[], count: number): Item[] =>
  items.length <= count
    ? [...items]
    : Array.from(
        { length: count },
        (_, i) => items[Math.round((i * (items.length - 1)) / (count - 1))] as Item,
      );

async function readQuestions(
  workspace: Workspace,
  sets: readonly ("math" | "ood")[],
): Promise<ReadonlyMap<string, Question>> {
  const all = new Map<string, Question>();
  for (const set of sets) {
    const { questions } = await loadQuestions(workspace.raw(set));
    for (const question of questions) all.set(question.id, question);
  }
  return all;
}
