import { HELD_OUT_SPLITS, type ProbeEval } from "../evaluation/probe-eval.ts";
import { wordsOfRows } from "../evaluation/row-words.ts";
import { SCORE_INFO, SCORE_NAMES } from "../evaluation/score-names.ts";
import { formatNumber, formatPercent } from "../text/format-numbers.ts";
import { drawLegend } from "./chart.ts";
import type { ReportTables } from "./evaluation-tables.ts";
import {
  FIGURE_FOLDER,
  type Figure,
  type FigureFormat,
  type FigureName,
  TABLE_FOLDER,
  titleOf,
} from "./figure.ts";
import { drawFirstScreen } from "./first-screen.ts";
import { html, type SafeHtml, trustedHtml } from "./html.ts";
import { drawAllQuestions, drawBlindSpot, drawExamples } from "./question-views.ts";
import type { ReportContent } from "./report-content.ts";
import { STYLE_SHEET } from "./report-style.ts";
import { drawTable, type Table } from "./table.ts";
import { drawUnits } from "./unit-section.ts";

/**
 * The report as one HTML page that loads nothing: no script, no font, no network.
 * Everything that comes from a question, a model or a file name is escaped.
 * @param figures of the same content; see `makeFigures`
 * @param tables  of the same content; see `makeTables`
 * @param formats what the figures are written as, to be linked
 */
export function renderReport(
  content: ReportContent,
  figures: ReadonlyMap<FigureName, Figure>,
  tables: ReportTables,
  formats: readonly FigureFormat[],
): string {
  const draw = (name: FigureName): SafeHtml => drawFigure(figures.get(name)!, formats);
  const sections = listSections(content, figures, tables, formats);
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${content.subject.model}: semantic entropy probes</title>
<style>${trustedHtml(STYLE_SHEET)}</style>
</head>
<body>
${drawFirstScreen(content, draw("scores"), draw("promises"))}
<nav class="contents" aria-label="Contents"><ul>${sections.map(({ id, title }) => html`<li><a href="#${id}">${title}</a></li>`)}</ul></nav>
${sections.map(
  ({ id, title, body }) => html`<section aria-labelledby="${id}"><h2 id="${id}">${title}</h2>${body}</section>
`,
)}</main>
</body>
</html>
`;
  return page.markup;
}

interface Section {
  readonly id: string;
  readonly title: string;
  readonly body: SafeHtml;
}

function listSections(
  content: ReportContent,
  figures: ReadonlyMap<FigureName, Figure>,
  tables: ReportTables,
  formats: readonly FigureFormat[],
): Section[] {
  const { evaluation, transfer } = content;
  const words = wordsOfRows(evaluation.units);
  const questionOf = (id: string): string | null =>
    content.questions.math_test?.find((each) => each.id === id)?.question ?? null;
  const charts = (...starts: readonly string[]): SafeHtml =>
    html`<div class="charts">${[...figures]
      .filter(([name]) => starts.some((start) => name.startsWith(start)))
      .map(([, figure]) => drawFigure(figure, formats))}</div>`;
  const show = (own: readonly Table[]): SafeHtml[] =>
    own.filter(({ rows }) => rows.length > 0).map((table) => drawTable(table, { folder: TABLE_FOLDER }));
  const [validation] = tables.scores.filter(({ name }) => name === "scores-val");
  const compared = tables.comparisons.filter(({ rows }) => rows.length > 0);
  const held = tables.scores.filter((table) => table !== validation);
  return [
    {
      id: "scores",
      title: `How well each score finds ${words.wrong}`,
      body: html`<p class="quiet">AUROC: the chance that, of ${words.pair}, the first scores as more uncertain; 0.5 is chance. Intervals resample whole questions; p-values permute labels between questions; ≤ marks the smallest p-value that this many permutations can give. PRR: prediction-rejection ratio, 1 is an oracle, 0 is random. AUGRC: mean share of ${words.rows} that are given and ${words.wrongly}, over all thresholds; lower is better. Accuracy at 80%: of the least uncertain 80% of the ${words.rows}.</p>${show(held)}${validation === undefined ? "" : html`<details class="demand"><summary>Validation questions</summary>${show([validation])}</details>`}<div id="power">${drawPower(evaluation)}</div>`,
    },
    {
      id: "added",
      title: "What a probe adds",
      body: html`<p class="quiet">A probe may find ${words.wrong} by what is known without it: the model's own confidence, lengths, words. The combined baseline is one logistic regression on all of these that are known when the probe is, fitted on the training questions.</p>${show([tables.added])}<div id="shortcuts">${drawShortcuts(evaluation)}</div>`,
    },
    {
      id: "comparisons",
      title: "Is the probe better than a score?",
      body: html`<p class="quiet">Differences on the same ${words.rows}. Intervals resample whole questions; p-values flip the sign of each question's contribution to the difference at random.</p>${compared.length === 0 ? html`<p class="quiet">No two scores can be compared.</p>` : html`${show(compared.slice(0, 1))}${compared.slice(1).map((table) => html`<details class="demand"><summary>The same out of distribution</summary>${show([table])}</details>`)}`}`,
    },
    ...(content.seeds === null
      ? []
      : [
          {
            id: "seeds",
            title: "Over other seeds",
            body: html`<p class="quiet">The same answers and hidden states, divided and fitted again with seeds ${content.seeds.seeds.join(", ")}. The verdict and everything else on this page are about one split, that of seed ${evaluation.settings.seed}.</p>${show(tables.seeds)}`,
          },
        ]),
    { id: "curves", title: "ROC curves", body: charts("roc") },
    { id: "precision", title: "Precision and recall", body: charts("precision-recall") },
    { id: "coverage", title: "Risk and coverage", body: charts("risk-coverage") },
    {
      id: "decisions",
      title: "When to answer",
      body: html`<p class="quiet">Each threshold was chosen on the validation questions to reach a target on new questions of their kind. Nothing is guaranteed out of distribution.</p>${tables.decisions.every(({ rows }) => rows.length === 0) ? html`<p class="quiet">${evaluation.decisions?.[0]?.reason ?? "No threshold was chosen."}</p>` : show(tables.decisions)}${drawFamiliarity(evaluation.familiarity)}`,
    },
    {
      id: "reliability",
      title: "Do the probabilities mean what they say?",
      body: html`${charts("reliability")}<details class="demand"><summary>${tables.calibration.title}</summary>${show([tables.calibration])}</details>`,
    },
    {
      id: "layers",
      title: "Which layers and positions work",
      body: html`<p class="quiet">Cross-validated on the training questions alone. Layer 0 is the embeddings; layer l is the residual stream after block l.</p>${charts("layers-")}`,
    },
    ...(evaluation.units === undefined
      ? []
      : [{ id: "units", title: "Along the answers", body: drawUnits(evaluation.units, questionOf) }]),
    { id: "entropy", title: "Semantic entropy", body: charts("entropy-") },
    {
      id: "blind-spot",
      title: "What semantic entropy cannot see",
      body: html`<p class="quiet">A model that is wrong in the same way every time has low semantic entropy. Neither the entropy over samples nor a probe trained to predict it can find these questions.</p>${drawBlindSpot(content)}`,
    },
    ...(transfer === null
      ? []
      : [
          {
            id: "transfer",
            title: "Transfer to other data sets",
            body: html`<p class="quiet">AUROC at finding wrong answers among each data set's test questions; position ${transfer.position}.</p>${charts("transfer")}`,
          },
        ]),
    {
      id: "questions",
      title: "Three test questions",
      body: html`<p class="quiet">The most uncertain, one in the middle, and the most certain. Answers are clustered by meaning; open a cluster to read one of its samples.</p>${drawExamples(content)}<div class="demand">${drawAllQuestions(content)}</div>`,
    },
    ...(evaluation.warnings.length === 0
      ? []
      : [
          {
            id: "warnings",
            title: "Warnings",
            body: html`<ul>${evaluation.warnings.map(({ message }) => html`<li>${message}</li>`)}</ul>`,
          },
        ]),
    { id: "settings", title: "Settings and provenance", body: drawSettings(content) },
  ];
}

const drawSettings = ({ settings }: ReportContent): SafeHtml =>
  html`<div class="wide" role="region" tabindex="0" aria-label="Settings"><table class="settings"><caption class="unseen">Settings and provenance</caption><tbody>${settings.map(([name, value]) => html`<tr><th scope="row">${name}</th><td>${value}</td></tr>`)}</tbody></table></div>`;

/** What the test questions could show at all. */
function drawPower({
  math_test: { power, mean_conf_acc_correct, mean_conf_acc_incorrect, ...test },
  units,
}: ProbeEval): SafeHtml {
  const words = wordsOfRows(units);
  const lines = [
    power === null || power.smallest_auc === null
      ? null
      : html`<li>With this many test questions, an AUROC of ${formatNumber(power.smallest_auc, 2)} or more would be significant in ${formatPercent(power.power)} of studies.</li>`,
    html`<li>Mean P(correct) by the accuracy probe: ${formatNumber(mean_conf_acc_correct)} for ${words.right}, ${formatNumber(mean_conf_acc_incorrect)} for ${words.wrong}.</li>`,
    test.tau_answer === null || units !== undefined
      ? null
      : html`<li>Answering only where P(correct) ≥ ${formatNumber(test.tau_answer)} (chosen on validation) keeps ${formatNumber(test.coverage_at_tau, 2)} of the answers, with accuracy ${formatNumber(test.accuracy_at_tau, 2)}.</li>`,
    html`<li>The SE probe finds ${words.rows} ${words.to} questions of high semantic entropy, which it was trained for, with AUROC ${formatNumber(test.scores.se_probe_high_se.auc)}.</li>`,
  ].filter((line) => line !== null);
  return html`<ul>${lines}</ul>`;
}

/** Ways in which a probe can look good without knowing anything. */
function drawShortcuts({ math_test: test, audit, units }: ProbeEval): SafeHtml {
  const words = wordsOfRows(units);
  const { shuffled_label_control: shuffled, constant_feature_control: constant } = test;
  const forms = SCORE_NAMES.filter(
    (name) => SCORE_INFO[name].kind === "form" && test.scores[name].auc !== null,
  );
  const shared = audit.shared_questions;
  const lines = [
    forms.length === 0
      ? null
      : html`<li>Form alone: ${forms.map((name) => `${titleOf(name).toLowerCase()} has AUROC ${formatNumber(test.scores[name].auc, 2)}`).join(", ")}.</li>`,
    shuffled === null
      ? null
      : html`<li>The accuracy probe trained ${shuffled.repeats} times on shuffled labels has AUROC ${formatNumber(shuffled.auc_mean)} on average (${formatNumber(shuffled.auc_min)} to ${formatNumber(shuffled.auc_max)}); the average should be near 0.5.</li>`,
    constant === null
      ? null
      : html`<li>An accuracy probe that sees the same features for all ${words.rows} has AUROC ${formatNumber(constant.auc)}; it should be 0.5.</li>`,
    html`<li>Held-out questions that are also training questions: ${shared.length === 0 ? "none" : shared.slice(0, MOST_SHARED).join(", ")}${shared.length > MOST_SHARED ? ` and ${shared.length - MOST_SHARED} more` : ""}.</li>`,
  ].filter((line) => line !== null);
  return html`<ul>${lines}</ul>`;
}

const MOST_SHARED = 10;

/** What thresholds say nothing about: questions unlike those that the probes were trained on. */
function drawFamiliarity(familiarity: ProbeEval["familiarity"]): SafeHtml {
  const found = (["accuracy_probe", "se_probe"] as const).flatMap((probe) => {
    const own = familiarity?.[probe];
    return own == null ? [] : [{ title: titleOf(probe), own }];
  });
  const [first] = found;
  if (first === undefined) return html``;
  const { level, validation_questions: questions } = first.own;
  const items = found.map(({ title, own }) => {
    const shares = HELD_OUT_SPLITS.flatMap((split) => {
      const counted = own.splits[split];
      return counted === undefined
        ? []
        : [
            `${formatPercent(counted.unfamiliar_share)} of ${counted.question_count} ${split === "math_test" ? "test questions" : "out of distribution"}`,
          ];
    });
    return html`<li>${title}: ${shares.join(", ")}</li>`;
  });
  return html`<h3>Unfamiliar questions</h3>
<p class="quiet">Questions whose hidden states are unlike those that a probe was trained on, judged by their distance against that of ${questions} validation questions (p ≤ ${level}, which holds for about ${formatPercent(level)} of questions of the training kind). A probe's score for them cannot be relied on.</p>
<ul>${items}</ul>`;
}

/** A figure on a page, with links to its files. */
function drawFigure(
  { name, title, chart, empty, legend, note, below }: Figure,
  formats: readonly FigureFormat[],
): SafeHtml {
  const body = chart ?? html`<p class="quiet">${empty}</p>`;
  const links = [...formats, "csv"].map((format) => {
    const kind = format.toUpperCase();
    return html`<a href="${FIGURE_FOLDER}/${name}.${format}" aria-label="${title}, ${name}: ${kind} file">${kind}</a> `;
  });
  return html`<figure><figcaption>${title}</figcaption>${body}${drawLegend(legend)}${note === null ? "" : html`<p class="quiet">${note}</p>`}${below ?? ""}<p class="files">${links}</p></figure>`;
}
