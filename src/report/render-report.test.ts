import { parseHTML } from "linkedom";
import { describe, expect, it } from "vitest";
import { evaluateSplit, type SplitScores } from "../evaluation/evaluate-split.ts";
import type { ProbeEval } from "../evaluation/probe-eval.ts";
import { createRng } from "../math/rng.ts";
import { html } from "./html.ts";
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
  const page = renderReport(makeContent(HOSTILE));
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
    // Question, id, reference, answer, example, a warning and a setting's name and value are all shown as text.
    expect(page.split("&lt;script&gt;alert(1)&lt;/script&gt;").length - 1).toBe(8);
    expect(document.querySelector("article h3")!.textContent).toContain("<script>alert(1)</script>");
  });

  it("loads nothing", () => {
    expect(page).toContain("default-src 'none'");
    const loading = [...document.querySelectorAll("[src], [href], [srcset], [data], [action], [poster]")];
    expect(loading.map((element) => element.tagName)).toEqual([]);
    expect(document.querySelector("style")!.textContent).not.toMatch(/url\(|@import/);
    expect(
      page.match(/https?:\/\/[^"\s<]*/g)?.filter((url) => !url.startsWith("http://www.w3.org/")) ?? [],
    ).toEqual([]);
  });

  it("names every chart and table for those who cannot see them", () => {
    // Two ROC charts, two layer charts, one histogram.
    expect(count('figure > svg[role="img"][aria-label]')).toBe(5);
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

  it("survives a study without scores, questions or a second set", () => {
    const { evaluation } = makeContent("");
    const nothing = evaluateSplit(
      { ...makeScores(3), incorrect: new Uint8Array(60), highSemanticEntropy: new Uint8Array(60) },
      { tau: null, control: null, resamples: 10, permutations: 9 },
    );
    const { ood_test: _absent, ...rest } = evaluation;
    const empty = renderReport({
      evaluation: { ...rest, math_test: nothing, math_val: nothing },
      scores: { math_test: { ...makeScores(3), incorrect: new Uint8Array(60) } },
      layerScores: [],
      entropies: [],
      uncertainQuestions: [],
      settings: [],
    });
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
    math_test: evaluateSplit(test, options),
    ood_test: evaluateSplit(makeScores(2), options),
    se_threshold: { method: "best-split", threshold: 0.5 },
    probes: { accuracy_probe: summary, se_probe: summary, entropy_baseline: null },
    source: {},
    settings: { seed: 1, resamples: 50, permutations: 19 },
    warnings: [{ code: "x", message: `Warning ${text}` }],
  };
  return {
    evaluation,
    scores: { math_val: test, math_test: test, ood_test: makeScores(2) },
    layerScores: [0, 1, 2].map((layer) => ({
      position: "think-end" as const,
      layer,
      row_count: 9,
      constant_features: 0,
      auroc: { incorrect: 0.5 + layer / 10, "high-semantic-entropy": 0.6 },
    })),
    entropies: [0, 0, 0.3, 0.7, 1.2],
    uncertainQuestions: [
      {
        id: `id${text}`,
        question: `Question ${text}`,
        reference: `42${text}`,
        semanticEntropy: 1.2,
        accuracyProbe: 0.8,
        seProbe: null,
        groups: [{ answer: `41${text}`, sampleCount: 2, correctCount: 0, example: `Thought ${text}` }],
      },
    ],
    settings: [[`Name${text}`, `Value${text}`]],
  };
}
