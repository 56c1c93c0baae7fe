import type { StoredSemanticEntropy } from "../entropy/semantic-entropy-record.ts";
import type { SplitScores } from "../evaluation/evaluate-split.ts";
import { mean } from "../math/vector.ts";
import type { Question } from "../samples/question.ts";
import type { RunRecord } from "../samples/run-record.ts";
import { formatNumber, formatPercent } from "../text/format-numbers.ts";
import { shorten } from "../text/shorten.ts";
import { HELD_OUT_SPLITS, SPLIT_TITLES } from "./figure.ts";
import { html, type SafeHtml } from "./html.ts";
import type { AnswerGroup, ReportContent, ReportQuestion } from "./report-content.ts";

/** Questions shown in full. */
const CARD_COUNT = 10;
/** A sample's text is shown up to here; the runs file has all of it. */
const CARD_EXAMPLE_LIMIT = 4000;
const LIST_EXAMPLE_LIMIT = 600;
/** Keeps the page at a size that browsers open at once. */
const LISTED_QUESTIONS = 2000;

/** The most uncertain questions, each with its answers grouped by meaning. */
export function drawUncertainQuestions({ questions }: ReportContent): SafeHtml {
  const shown = (questions.math_test ?? []).slice(0, CARD_COUNT);
  if (shown.length === 0) return html`<p class="quiet">No test question has semantic entropy.</p>`;
  return html`<ol class="cards">${shown.map(drawCard)}</ol>`;
}

/** Every held-out question on one line, to be opened. */
export function drawAllQuestions({ questions }: ReportContent): SafeHtml {
  return html`${HELD_OUT_SPLITS.flatMap((split) => {
    const own = questions[split];
    return own === undefined || own.length === 0 ? [] : [drawList(SPLIT_TITLES[split], own)];
  })}`;
}

function drawList(title: string, questions: readonly ReportQuestion[]): SafeHtml {
  const left = questions.length - LISTED_QUESTIONS;
  const rest =
    left <= 0
      ? ""
      : html`<p class="quiet">${left} more, of lower entropy, are in the files: sep clusters shows any of them.</p>`;
  return html`<details class="list"><summary><b>${title}</b> <span class="quiet">${questions.length} questions</span></summary>${questions.slice(0, LISTED_QUESTIONS).map(drawLine)}${rest}</details>`;
}

const drawLine = (question: ReportQuestion): SafeHtml =>
  html`<details><summary><span class="nats">${formatNumber(question.semanticEntropy, 2)}</span> <span class="answer">${question.id}</span> ${shorten(question.question, SHOWN_QUESTION)}</summary><div class="opened"><p class="text">${question.question}</p>${drawFacts(question)}<ul class="groups">${question.groups.map((group) => drawGroup(group, LIST_EXAMPLE_LIMIT))}</ul></div></details>`;

const SHOWN_QUESTION = 90;

const drawCard = (question: ReportQuestion): SafeHtml =>
  html`<li><article>
<h3>${question.question}</h3>
${drawFacts(question)}
<ul class="groups">${question.groups.map((group) => drawGroup(group, CARD_EXAMPLE_LIMIT))}</ul>
</article></li>`;

const drawFacts = (question: ReportQuestion): SafeHtml =>
  html`<p class="quiet">${question.id} · semantic entropy ${formatNumber(question.semanticEntropy, 2)} nats · P(wrong) ${formatPercent(question.accuracyProbe)} by the accuracy probe · P(high entropy) ${formatPercent(question.seProbe)} by the SE probe${question.reference === null ? "" : html` · reference answer <b>${question.reference}</b>`}</p>`;

function drawGroup({ answer, sampleCount, correctCount, example }: AnswerGroup, limit: number): SafeHtml {
  const verdict =
    correctCount === sampleCount ? "right" : correctCount === 0 ? "wrong" : `${correctCount} right`;
  return html`<li><details><summary><span class="count">${sampleCount}×</span> <span class="answer">${answer}</span> <span class="${correctCount === 0 ? "verdict wrong" : "verdict right"}">${verdict}</span></summary><pre tabindex="0">${shorten(example, limit)}</pre></details></li>`;
}

const NO_ANSWER = "(no answer)";

/**
 * The questions of a split, those with the highest discrete semantic entropy first, with their answers grouped by
 * meaning; equals are ordered by the likelihood-weighted entropy, those without it last, then by id.
 * @param runsOf    the samples of each question, by its id
 * @param questions the question texts; those missing are shown by their prompt
 */
export function describeQuestions(
  split: SplitScores,
  entropies: readonly StoredSemanticEntropy[],
  runsOf: ReadonlyMap<string, readonly RunRecord[]>,
  questions: readonly Question[],
): ReportQuestion[] {
  const rowsOf = new Map<string, number[]>();
  split.questionIds.forEach((id, row) => {
    const rows = rowsOf.get(id);
    if (rows === undefined) rowsOf.set(id, [row]);
    else rows.push(row);
  });
  const textOf = new Map(questions.map((question) => [question.id, question]));
  return entropies
    .filter((record) => rowsOf.has(record.question_id))
    .toSorted(
      (a, b) =>
        b.discrete_semantic_entropy - a.discrete_semantic_entropy ||
        compareMissingLast(a.semantic_entropy, b.semantic_entropy) ||
        (a.question_id < b.question_id ? -1 : 1),
    )
    .map((record) => {
      const own = runsOf.get(record.question_id) ?? [];
      const rows = rowsOf.get(record.question_id)!;
      const source = textOf.get(record.question_id);
      return {
        id: record.question_id,
        question: source?.question ?? own[0]?.prompt ?? record.question_id,
        reference: source?.answer ?? null,
        semanticEntropy: record.discrete_semantic_entropy,
        accuracyProbe: meanOver(rows, split.accuracyProbe),
        seProbe: meanOver(rows, split.seProbe),
        groups: record.clusters
          .map((cluster) => describeGroup(own.filter((run) => cluster.member_run_ids.includes(run.run_id))))
          .filter((group) => group.sampleCount > 0)
          .toSorted((a, b) => b.sampleCount - a.sampleCount),
      };
    });
}

/** Higher first. */
function compareMissingLast(a: number | null, b: number | null): number {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  return b - a;
}

function describeGroup(runs: readonly RunRecord[]): AnswerGroup {
  const first = runs[0];
  return {
    answer: first?.extracted_answer ?? (first?.answer_text.trim() || NO_ANSWER),
    sampleCount: runs.length,
    correctCount: runs.filter((run) => run.is_correct).length,
    example: first?.output_text ?? "",
  };
}

/** Mean of a score over a question's rows; null if none has it. */
function meanOver(rows: readonly number[], scores: Float64Array): number | null {
  const own = rows.map((row) => scores[row]!).filter((score) => !Number.isNaN(score));
  return own.length === 0 ? null : mean(own);
}
