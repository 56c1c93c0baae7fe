import { csvParse } from "d3-dsv";
import { parseHTML } from "linkedom";
import { describe, expect, it } from "vitest";
import { makeTransfer } from "../../test/fakes/make-transfer.ts";
import { evaluateSplit, type SplitEvaluation, type SplitScores } from "../evaluation/evaluate-split.ts";
import type { ProbeEval } from "../evaluation/probe-eval.ts";
import { createRng } from "../math/rng.ts";
import { figureCsv, figureSvg, listFigures } from "./figure.ts";
import { html } from "./html.ts";
import { makeFigures } from "./make-figures.ts";
import { renderReport } from "./render-report.ts";
import type { ReportContent, ReportQuestion } from "./report-content.ts";

const HOSTILE = `"><script>alert(1)</script><img src=x onerror=alert(1)>' </style></pre></title>&amp;\u2028\u0000`;

describe("html", () => {
  it("escapes what is put in, and nothing else", () => {
    const inner = html`<b>${"<i>"}</b>`;
    expect(html`<p title="${`"'&`}">${inner}${[inner]}${3}</p>`.markup).toBe(
      '<p title="&quot;&#39;&amp;"><b>&lt;i&gt;</b><b>&lt;i&gt;</b>3</p>',
    );
  });
});

describe("a figure's files", () => {
  const content = makeContent("");
  const figures = [...makeFigures(content).values()];

  it("are SVG that stands alone, and says why where there is nothing to draw", () => {
    for (const figure of figures) {
      const { document } = parseHTML(figureSvg(figure));
      const svg = document.querySelector("svg")!;
      expect(svg.getAttribute("xmlns"), figure.name).toBe("http://www.w3.org/2000/svg");
      expect(svg.querySelector("style")!.textContent).toContain("--series-1");
      expect(figure.chart === null, figure.name).toBe(svg.textContent.includes(figure.empty));
    }
  });

  it("are CSV with the numbers of the evaluation", () => {
    const roc = csvParse(figureCsv(figures.find(({ name }) => name === "roc-test")!));
    expect(roc.columns).toEqual([
      "score",
      "false_positive_rate",
      "true_positive_rate",
      "band_low",
      "band_high",
    ]);
    const own = roc.filter(({ score }) => score === "se_probe");
    const { y, low } = content.evaluation.math_test.curves.se_probe!.roc;
    expect(own.map((row) => Number(row.true_positive_rate))).toEqual(y);
    expect(own.map((row) => Number(row.band_low))).toEqual(low);
    expect(figureCsv({ ...figures[0]!, data: { columns: ["a", "b"], rows: [['x,"y"', null]] } })).toBe(
      'a,b\n"x,""y""",\n',
    );
  });
});

describe("renderReport", () => {
  const hostile = makeContent(HOSTILE);
  const page = renderReport(hostile, makeFigures(hostile));
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
    // A warning, and a setting's name and value; question, id, reference, answer and example on the card and in the
    // list, there with a line of the id and the question; the question and its answer among the consistently wrong.
    expect(page.split("&lt;script&gt;alert(1)&lt;/script&gt;").length - 1).toBe(3 + 5 + 7 + 2);
    expect(document.querySelector("article h3")!.textContent).toContain("<script>alert(1)</script>");
  });

  it("loads nothing", () => {
    expect(page).toContain("default-src 'none'");
    const loading = [...document.querySelectorAll("[src], [href], [srcset], [data], [action], [poster]")];
    const links = loading.map((element) => element.getAttribute("href"));
    expect(links.filter((link) => !/^figures\/[a-z-]+\.(svg|csv)$/.test(link ?? ""))).toEqual([]);
    expect(document.querySelector("style")!.textContent).not.toMatch(/url\(|@import/);
    expect(
      page.match(/https?:\/\/[^"\s<]*/g)?.filter((url) => !url.startsWith("http://www.w3.org/")) ?? [],
    ).toEqual([]);
  });

  it("names every chart and table for those who cannot see them", () => {
    // No reliability here: no probe was calibrated; four of layers, two of entropy, one of transfer.
    expect(count('figure > svg[role="img"][aria-label]')).toBe(listFigures(true, true).length);
    expect(document.querySelector("figure > svg")!.getAttribute("aria-label")).toMatch(
      /ROC curves, Test\. Accuracy probe: AUROC 0\.\d{3}/,
    );
    expect(count("table")).toBe(count("table > caption"));
    expect(count("h1")).toBe(1);
    expect(document.querySelector("html")!.getAttribute("lang")).toBe("en");
  });

  it("shows the numbers of the evaluation", () => {
    const { evaluation } = makeContent("");
    const text = document.querySelector("main")!.textContent;
    expect(text).toContain(evaluation.math_test.auc_accuracy_probe!.toFixed(3));
    expect(text).toContain("threshold of 0.500 nats (best-split)");
    expect(text).toContain("2×");
  });

  it("says which questions are unfamiliar, where a probe can tell", () => {
    const content = makeContent("");
    const splits = { math_test: { question_count: 45, unfamiliar_count: 3, unfamiliar_share: 3 / 45 } };
    const known = { level: 0.05, validation_questions: 45, splits };
    const familiarity = { accuracy_probe: known, se_probe: null };
    const text = (own: ReportContent): string =>
      parseHTML(renderReport(own, makeFigures(own))).document.querySelector("main")!.textContent;
    expect(text({ ...content, evaluation: { ...content.evaluation, familiarity } })).toContain(
      "Accuracy probe: 7% of 45 (test)",
    );
    expect(text(content)).not.toContain("Unfamiliar");
  });

  it("survives a study without scores, questions or a second set", () => {
    const { evaluation } = makeContent("");
    const nothing = evaluateSplit(
      { ...makeScores(3), incorrect: new Uint8Array(60), highSemanticEntropy: new Uint8Array(60) },
      { tau: null, control: null, resamples: 10, permutations: 9 },
    );
    const { ood_test: _absent, ...rest } = evaluation;
    const content = {
      evaluation: { ...rest, math_test: nothing, math_val: nothing },
      testScores: { ...makeScores(3), seProbe: new Float64Array(60).fill(Number.NaN) },
      layerScores: [],
      entropies: [],
      questions: {},
      transfer: null,
      settings: [],
    };
    const figures = makeFigures(content);
    expect([...figures.keys()]).toEqual(listFigures(false, false));
    const empty = renderReport(content, figures);
    expect(empty).toContain("No curve");
    expect(empty).toContain("No layer has a score");
    expect(empty).not.toContain("NaN");
    expect(empty).not.toContain("undefined");
  });
});

function makeScores(seed: number): SplitScores {
  const rng = createRng("report-test", seed);
  const incorrect = Uint8Array.from({ length: 60 }, (_, i) => (i % 3 === 0 ? 1 : 0));
  const noisy = (strength: number): Float64Array =>
    Float64Array.from(incorrect, (label) => (strength * label + rng.next()) / (1 + strength));
  return {
    questionIds: Array.from({ length: 60 }, (_, i) => `q${Math.floor(i / 2)}`),
    incorrect,
    highSemanticEntropy: incorrect,
    accuracyProbe: noisy(0.9),
    seProbe: noisy(0.6),
    entropyBaseline: noisy(0.2),
    semanticEntropy: noisy(0.5),
    discreteSemanticEntropy: noisy(0.5),
  };
}

function makeContent(text: string): ReportContent {
  const test = makeScores(1);
  const options = { tau: 0.5, control: null, resamples: 50, permutations: 19 };
  const summary = {
    position: "think-end",
    layer: 1,
    C: 0.1,
    training_rows: 9,
    training_questions: 3,
    cv_auc: 0.8,
  };
  const evaluation: ProbeEval = {
    math_val: evaluateSplit(test, options),
    math_test: withBlindSpot(evaluateSplit(test, options), text),
    ood_test: evaluateSplit(makeScores(2), options),
    se_threshold: { method: "best-split", threshold: 0.5 },
    probes: { accuracy_probe: summary, se_probe: summary, entropy_baseline: null },
    source: {},
    settings: { seed: 1, resamples: 50, permutations: 19 },
    warnings: [{ code: "x", message: `Warning ${text}` }],
  };
  return {
    evaluation,
    testScores: test,
    layerScores: [0, 1, 2].map((layer) => ({
      position: "think-end" as const,
      layer,
      row_count: 9,
      constant_features: 0,
      auroc: { incorrect: 0.5 + layer / 10, "high-semantic-entropy": 0.6 },
    })),
    entropies: [0, 0, 0.3, 0.7, 1.2],
    questions: { math_test: [makeQuestion(text)] },
    transfer: makeTransfer(),
    settings: [[`Name${text}`, `Value${text}`]],
  };
}

const withBlindSpot = (evaluation: SplitEvaluation, text: string): SplitEvaluation => ({
  ...evaluation,
  consistently_wrong: {
    ...evaluation.consistently_wrong,
    question_count: 1,
    questions: [
      {
        question_id: `id${text}`,
        discrete_semantic_entropy: 0,
        answer: `41${text}`,
        cluster_share: 1,
        row_count: 2,
        incorrect_count: 2,
        accuracy_probe: null,
      },
    ],
  },
});

const makeQuestion = (text: string): ReportQuestion => ({
  id: `id${text}`,
  question: `Question ${text}`,
  reference: `42${text}`,
  semanticEntropy: 1.2,
  accuracyProbe: 0.8,
  seProbe: null,
  groups: [{ answer: `41${text}`, sampleCount: 2, correctCount: 0, example: `Thought ${text}` }],
});
