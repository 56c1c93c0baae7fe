import type { ConsistentlyWrong, ConsistentlyWrongQuestion } from "../evaluation/consistently-wrong.ts";
import { HELD_OUT_SPLITS } from "../evaluation/probe-eval.ts";
import { type RowWords, wordsOfRows } from "../evaluation/row-words.ts";
import { formatNumber, formatPercent } from "../text/format-numbers.ts";
import { shorten } from "../text/shorten.ts";
import { SPLIT_TITLES } from "./figure.ts";
import { html, type SafeHtml } from "./html.ts";
import type { AnswerCluster, ReportContent, ReportQuestion } from "./report-content.ts";

/** Questions shown in full. */
const CARD_COUNT = 3;
/** A sample's text is shown up to here; the runs file has all of it. */
const CARD_EXAMPLE_LIMIT = 4000;
const LIST_EXAMPLE_LIMIT = 600;
/** Keeps the page at a size that browsers open at once. */
const LISTED_QUESTIONS = 2000;

/** Three examples: the most uncertain test question, one in the middle and a certain one, each with its clusters. */
export function drawExamples({ questions }: ReportContent): SafeHtml {
  const own = questions.math_test ?? [];
  if (own.length === 0) return html`<p class="quiet">No test question has semantic entropy.</p>`;
  const last = own.length - 1;
  const places = new Set(
    Array.from({ length: CARD_COUNT }, (_, i) => Math.round((i * last) / (CARD_COUNT - 1))),
  );
  return html`<ol class="cards">${[...places].map((place) => drawCard(own[place]!))}</ol>`;
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
      : html`<p class="quiet">${left} more, of lower entropy, are in the files; <code>sep clusters</code> shows any of them.</p>`;
  return html`<details class="list"><summary><b>${title}</b> <span class="quiet">${questions.length} questions, most uncertain first</span></summary>${questions.slice(0, LISTED_QUESTIONS).map(drawLine)}${rest}</details>`;
}

const drawLine = (question: ReportQuestion): SafeHtml =>
  html`<details><summary><span class="nats">${formatNumber(question.semanticEntropy, 2)}</span> <span class="answer">${question.id}</span> ${shorten(question.question, SHOWN_QUESTION)}</summary><div class="opened"><p class="text">${question.question}</p>${drawFacts(question)}<ul class="clusters">${question.clusters.map((cluster) => drawCluster(cluster, LIST_EXAMPLE_LIMIT))}</ul></div></details>`;

const SHOWN_QUESTION = 90;

const drawCard = (question: ReportQuestion): SafeHtml =>
  html`<li><article>
<h3>${question.question}</h3>
${drawFacts(question)}
<ul class="clusters">${question.clusters.map((cluster) => drawCluster(cluster, CARD_EXAMPLE_LIMIT))}</ul>
</article></li>`;

const drawFacts = (question: ReportQuestion): SafeHtml =>
  html`<p class="quiet">${question.id} · semantic entropy ${formatNumber(question.semanticEntropy, 2)} nats · P(wrong) ${formatPercent(question.accuracyProbe)} by the accuracy probe · P(high entropy) ${formatPercent(question.seProbe)} by the SE probe${question.reference === null ? "" : html` · reference answer <b>${question.reference}</b>`}</p>`;

function drawCluster({ answer, sampleCount, correctCount, example }: AnswerCluster, limit: number): SafeHtml {
  const verdict =
    correctCount === sampleCount ? "right" : correctCount === 0 ? "wrong" : `${correctCount} right`;
  return html`<li><details><summary><span class="count">${sampleCount}×</span> <span class="answer">${answer}</span> <span class="${correctCount === 0 ? "verdict wrong-answer" : "verdict right-answer"}">${verdict}</span></summary><pre tabindex="0">${shorten(example, limit)}</pre></details></li>`;
}

/** Rows of the table; the evaluation's file has them all. */
const MOST_QUESTIONS = 50;

/** Questions whose samples agree on something wrong: no entropy over samples can find them. */
export function drawBlindSpot(content: ReportContent): SafeHtml {
  return html`${HELD_OUT_SPLITS.flatMap((split) => {
    const found = content.evaluation[split]?.consistently_wrong;
    if (found === undefined) return [];
    const texts = new Map(content.questions[split]?.map(({ id, question }) => [id, question]));
    return [drawWrong(SPLIT_TITLES[split], found, texts, wordsOfRows(content.evaluation.units))];
  })}`;
}

function drawWrong(
  title: string,
  found: ConsistentlyWrong,
  texts: ReadonlyMap<string, string>,
  words: RowWords,
): SafeHtml {
  const { accuracy_probe: probe } = found;
  const among =
    probe.auc === null
      ? ""
      : ` Among the ${words.rows} ${words.to} questions of low entropy, the accuracy probe has AUROC ${formatNumber(probe.auc)}.`;
  return html`<h3>${title}</h3>
<p>${found.question_count} of ${found.low_entropy_questions} questions of low semantic entropy are mostly answered wrongly, ${found.single_cluster_count} of them with a single meaning. They account for ${found.low_entropy_incorrect_rows} of ${found.incorrect_rows} ${words.wrong}.${among}</p>
${found.questions.length === 0 ? "" : drawWrongQuestions(title, found.questions, texts)}`;
}

function drawWrongQuestions(
  title: string,
  questions: readonly ConsistentlyWrongQuestion[],
  texts: ReadonlyMap<string, string>,
): SafeHtml {
  const left = questions.length - MOST_QUESTIONS;
  return html`<details class="demand"><summary>The questions</summary><div class="wide" role="region" tabindex="0" aria-label="${title}: consistently wrong"><table>
<caption class="unseen">${title}: questions of low semantic entropy that are mostly answered wrongly</caption>
<thead><tr><th scope="col" class="left">Question</th><th scope="col" class="left">Most common answer</th><th scope="col">Share</th><th scope="col">Wrong</th><th scope="col">Entropy, nats</th><th scope="col">P(wrong) by the accuracy probe</th></tr></thead>
<tbody>${questions
    .slice(0, MOST_QUESTIONS)
    .map(
      (each) =>
        html`<tr><th scope="row" class="words">${texts.get(each.question_id) ?? each.question_id}</th><td class="words">${each.answer ?? "none"}</td><td>${formatPercent(each.cluster_share)}</td><td>${each.incorrect_count} of ${each.row_count}</td><td>${formatNumber(each.discrete_semantic_entropy, 2)}</td><td>${formatPercent(each.accuracy_probe)}</td></tr>`,
    )}</tbody></table></div>${left > 0 ? html`<p class="quiet">${left} more are in probe_eval.json.</p>` : ""}</details>`;
}
