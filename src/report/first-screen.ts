import type { Audit } from "../evaluation/audit.ts";
import type { AuditCheck, CheckName } from "../evaluation/checks.ts";
import { html, type SafeHtml } from "./html.ts";
import type { ReportContent, ReportSubject } from "./report-content.ts";

/** Where the page shows what a check rests on. */
const EVIDENCE: Readonly<Record<CheckName, string>> = {
  baselines: "comparisons",
  adds: "added",
  shortcuts: "shortcuts",
  transfer: "scores",
  calibration: "reliability",
  promises: "decisions",
  questions: "power",
};

/**
 * What a reader needs to decide: what was studied, the verdict, the checks behind it, every score in one figure, and what became of
 * the promises.
 * @param scores   the forest plot
 * @param promises the decision strip
 */
export function drawFirstScreen(
  { subject, evaluation: { audit } }: ReportContent,
  scores: SafeHtml,
  promises: SafeHtml,
): SafeHtml {
  const [headline = "", ...rest] = audit.verdict;
  return html`<header>
${drawSubject(subject)}
<h1>${keepTogether(headline)}</h1>
${rest.length === 0 ? "" : html`<p class="lead">${keepTogether(rest.join(" "))}</p>`}
</header>
<main>
<div class="overview">
<div><h2 id="checks">Checks</h2>${drawChecks(audit)}${promises}</div>
<div>${scores}</div>
</div>`;
}

/** No line ends between a name and its number: "AUROC 0.71", "p = 0.03". */
const keepTogether = (text: string): string =>
  text.replace(/\b(AUROC|ECE|bias|difference|p [=<≤]|p) (?=[=<≤−+\d])/g, (start) =>
    start.replaceAll(" ", "\u00a0"),
  );

function drawSubject({
  model,
  isEmbedded,
  observer,
  questionCounts,
  samples,
  date,
}: ReportSubject): SafeHtml {
  const data = questionCounts.map(({ name, count }) => `${name} (${count} questions)`).join(", ");
  const parts = [
    html`<b>${model}</b>${isEmbedded ? html` <span class="toy">built-in toy model</span>` : ""}`,
    ...(observer === null ? [] : [html`observed by ${observer}`]),
    ...(data === "" ? [] : [html`${data}`]),
    ...(samples === null ? [] : [html`${samples}`]),
    ...(date === null ? [] : [html`<time datetime="${date}">${spellDate(date)}</time>`]),
  ];
  return html`<p class="about">${parts.map((part, i) => html`${i === 0 ? "" : " · "}${part}`)}</p>`;
}

/** "29 November 2026" */
const spellDate = (date: string): string =>
  new Date(`${date}T00:00:00Z`).toLocaleDateString("en-GB", {
    day: "numeric",
    month: "long",
    year: "numeric",
    timeZone: "UTC",
  });

const SIGNS: Readonly<Record<AuditCheck["status"], readonly [sign: string, word: string]>> = {
  good: ["✓", "yes"],
  unsure: ["!", "with caution"],
  bad: ["✗", "no"],
  unknown: ["–", "not known"],
};

const drawChecks = ({ checks }: Audit): SafeHtml =>
  html`<ul class="checks">${checks.map(({ id, question, status, finding }) => {
    const [sign, word] = SIGNS[status];
    return html`<li class="${status}"><span class="sign" aria-hidden="true">${sign}</span><span><a href="#${EVIDENCE[id]}">${question}</a><span class="unseen"> ${word}.</span> ${keepTogether(finding)}</span></li>`;
  })}</ul>`;
