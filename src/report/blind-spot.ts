import type { ConsistentlyWrong, ConsistentlyWrongQuestion } from "../evaluation/consistently-wrong.ts";
import { formatNumber, formatPercent } from "../text/format-numbers.ts";
import { HELD_OUT_SPLITS } from "./figure.ts";
import { html, type SafeHtml } from "./html.ts";
import type { ReportContent } from "./report-content.ts";
import { SPLIT_TITLES } from "./titles.ts";

/** Rows of the table; the evaluation's file has them all. */
const SHOWN = 50;

/** Questions whose samples agree on something wrong: no entropy over samples can find them. */
export function drawBlindSpot(content: ReportContent): SafeHtml {
  return html`${HELD_OUT_SPLITS.flatMap((split) => {
    const found = content.evaluation[split]?.consistently_wrong;
    if (found === undefined) return [];
    const texts = new Map(content.questions[split]?.map(({ id, question }) => [id, question]));
    return [drawSplit(SPLIT_TITLES[split], found, texts)];
  })}`;
}

function drawSplit(title: string, found: ConsistentlyWrong, texts: ReadonlyMap<string, string>): SafeHtml {
  const { accuracy_probe: probe } = found;
  const among =
    probe.auc === null
      ? ""
      : ` Among answers to questions of low entropy the accuracy probe has AUROC ${formatNumber(probe.auc)}.`;
  return html`<h3>${title}</h3>
<p>${found.question_count} of ${found.low_entropy_questions} questions of low semantic entropy are mostly answered wrongly, ${found.single_cluster_count} of them with one meaning only. They hold ${found.low_entropy_incorrect_rows} of ${found.incorrect_rows} wrong answers.${among}</p>
${found.questions.length === 0 ? "" : drawTable(title, found.questions, texts)}`;
}

function drawTable(
  title: string,
  questions: readonly ConsistentlyWrongQuestion[],
  texts: ReadonlyMap<string, string>,
): SafeHtml {
  const left = questions.length - SHOWN;
  return html`<details><summary>The questions</summary><div class="wide" role="region" tabindex="0" aria-label="${title}: consistently wrong"><table>
<caption class="unseen">${title}: questions of low semantic entropy that are mostly answered wrongly</caption>
<thead><tr><th scope="col">Question</th><th scope="col">Says mostly</th><th scope="col">Share</th><th scope="col">Wrong</th><th scope="col">Entropy, nats</th><th scope="col">P(wrong) by the accuracy probe</th></tr></thead>
<tbody>${questions
    .slice(0, SHOWN)
    .map(
      (each) =>
        html`<tr><th scope="row" class="words">${texts.get(each.question_id) ?? each.question_id}</th><td class="words">${each.answer ?? "none"}</td><td>${formatPercent(each.cluster_share)}</td><td>${each.incorrect_count} of ${each.row_count}</td><td>${formatNumber(each.discrete_semantic_entropy, 2)}</td><td>${formatPercent(each.accuracy_probe)}</td></tr>`,
    )}</tbody></table></div>${left > 0 ? html`<p class="quiet">${left} more are in probe_eval.json.</p>` : ""}</details>`;
}
