import { parseHTML } from "linkedom";
import { describe, expect, it } from "vitest";
import { DURING } from "../../test/fakes/fill-scores.ts";
import { makeReportContent, makeReportScores } from "../../test/fakes/make-report.ts";
import { auditStudy } from "../evaluation/audit.ts";
import { evaluateSplit } from "../evaluation/evaluate-split.ts";
import { wordsOfRows } from "../evaluation/row-words.ts";
import { makeTables } from "./evaluation-tables.ts";
import { listFigures } from "./figure.ts";
import { html } from "./html.ts";
import { makeFigures } from "./make-figures.ts";
import { renderReport } from "./render-report.ts";
import type { ReportContent } from "./report-content.ts";

const HOSTILE = `"><script>alert(1)</script><img src=x onerror=alert(1)>' </style></pre></title>&amp;\u2028\u0000`;

describe("html", () => {
  it("escapes what is put in, and nothing else", () => {
    const inner = html`<b>${"<i>"}</b>`;
    expect(html`<p title="${`"'&`}">${inner}${[inner]}${3}</p>`.markup).toBe(
      '<p title="&quot;&#39;&amp;"><b>&lt;i&gt;</b><b>&lt;i&gt;</b>3</p>',
    );
  });
});

describe("renderReport", () => {
  const hostile = makeReportContent(HOSTILE);
  const page = renderReport(hostile, makeFigures(hostile), makeTables(hostile.evaluation), ["svg", "pdf"]);
  const { document } = parseHTML(page);
  const count = (selector: string): number => document.querySelectorAll(selector).length;

  it("lets no text from outside become markup", () => {
    expect(page).not.toContain("<script");
    expect(page).not.toContain("<img");
    expect(count("script, img, iframe, object, link, base, form")).toBe(0);
    expect(count("style:not(svg style)")).toBe(1);
    const handlers = [...document.querySelectorAll("*")].flatMap((element) =>
      [...element.attributes].filter(({ name }) => name.startsWith("on")),
    );
    expect(handlers).toEqual([]);
    // The model, twice, and the data; a warning, and a setting's name and value; question, id, reference, answer and example on the
    // card and in the list, there with a line of the id and the question; the question and its answer among the
    // consistently wrong; a shared question.
    expect(page.split("&lt;script&gt;alert(1)&lt;/script&gt;").length - 1).toBe(3 + 3 + 5 + 7 + 2 + 1);
    expect(document.querySelector("article h3")!.textContent).toContain("<script>alert(1)</script>");
  });

  it("loads nothing", () => {
    expect(page).toContain("default-src 'none'");
    const loading = [...document.querySelectorAll("[src], [href], [srcset], [data], [action], [poster]")];
    const links = loading.map((element) => element.getAttribute("href"));
    const isOwn = (link: string | null): boolean =>
      /^(#[a-z-]+|figures\/[a-z-]+\.(svg|pdf|csv)|tables\/[a-z-]+\.(csv|tex|md))$/.test(link ?? "");
    expect(links.filter((link) => !isOwn(link))).toEqual([]);
    const anchors = links.filter((link) => link?.startsWith("#"));
    expect(anchors.length).toBeGreaterThan(15);
    for (const anchor of anchors) expect(count(anchor!), anchor!).toBe(1);
    expect(document.querySelector("style")!.textContent).not.toMatch(/url\(|@import/);
    expect(
      page.match(/https?:\/\/[^"\s<]*/g)?.filter((url) => !url.startsWith("http://www.w3.org/")) ?? [],
    ).toEqual([]);
  });

  it("names every chart and table for those who cannot see them", () => {
    // no threshold was chosen here, so there is no strip of promises
    expect(count('figure > svg[role="img"][aria-label]')).toBe(listFigures(true, true).length - 1);
    expect(document.querySelector("figure > svg")!.getAttribute("aria-label")).toMatch(
      /AUROC of each score\. Accuracy probe, test: 0\.\d{2}; Accuracy probe, OOD: 0\.\d{2}/,
    );
    expect(count("table")).toBe(count("table > caption"));
    expect(count("h1")).toBe(1);
    expect(document.querySelector("html")!.getAttribute("lang")).toBe("en");
  });

  it("shows the numbers of the evaluation", () => {
    const { evaluation } = makeReportContent("");
    const text = document.querySelector("main")!.textContent;
    expect(text).toContain(evaluation.math_test.auc_accuracy_probe!.toFixed(3));
    expect(text).toContain("threshold of 0.500 nats (best-split)");
    expect(text).toContain("2×");
  });

  it("begins with what was studied, the verdict and the checks, each with its evidence", () => {
    const { evaluation } = makeReportContent("");
    expect(document.querySelector("header")!.textContent).toContain("built-in toy model");
    expect(document.querySelector("header")!.textContent).toContain("29 November 2026");
    expect(document.querySelector("h1")!.textContent.replaceAll("\u00a0", " ")).toBe(
      evaluation.audit.verdict[0],
    );
    const items = [...document.querySelectorAll(".checks li")];
    expect(items.map((item) => item.getAttribute("class"))).toEqual(
      evaluation.audit.checks.map(({ status }) => status),
    );
    expect(items.map((item) => item.querySelector("a")!.textContent)).toEqual(
      evaluation.audit.checks.map(({ question }) => question),
    );
  });

  it("says which questions are unfamiliar, where a probe can tell", () => {
    const content = makeReportContent("");
    const splits = { math_test: { question_count: 45, unfamiliar_count: 3, unfamiliar_share: 3 / 45 } };
    const known = { level: 0.05, validation_questions: 45, splits };
    const familiarity = { accuracy_probe: known, se_probe: null };
    const text = (own: ReportContent): string =>
      parseHTML(
        renderReport(own, makeFigures(own), makeTables(own.evaluation), ["svg"]),
      ).document.querySelector("main")!.textContent;
    expect(text({ ...content, evaluation: { ...content.evaluation, familiarity } })).toContain(
      "Accuracy probe: 7% of 45 test questions",
    );
    expect(text(content)).not.toContain("Unfamiliar");
  });

  it("survives a study without scores, questions or a second set", () => {
    const { evaluation } = makeReportContent("");
    const nothing = evaluateSplit(
      { ...makeReportScores(3), incorrect: new Uint8Array(60), highSemanticEntropy: new Uint8Array(60) },
      { tau: null, control: null, moments: DURING, resamples: 10, permutations: 9 },
    );
    const { ood_test: _absent, ...rest } = evaluation;
    const scores = makeReportScores(3);
    const content = {
      subject: {
        model: "unknown model",
        isEmbedded: false,
        observer: null,
        questionCounts: [],
        samples: null,
        date: null,
      },
      evaluation: {
        ...rest,
        audit: auditStudy({
          moments: DURING,
          validation: nothing,
          test: nothing,
          ood: null,
          decisions: [],
          sharedQuestions: [],
          words: wordsOfRows(undefined),
        }),
        math_test: nothing,
        math_val: nothing,
      },
      testScores: {
        ...scores,
        byName: { ...scores.byName, se_probe: new Float64Array(60).fill(Number.NaN) },
      },
      layerScores: [],
      entropies: [],
      questions: {},
      transfer: null,
      seeds: null,
      settings: [],
    };
    const figures = makeFigures(content);
    expect([...figures.keys()]).toEqual(listFigures(false, false));
    const empty = renderReport(content, figures, makeTables(content.evaluation), ["svg"]);
    expect(empty).toContain("No curve");
    expect(empty).toContain("No layer has a score");
    expect(empty).not.toContain("NaN");
    expect(empty).not.toContain("undefined");
  });
});
