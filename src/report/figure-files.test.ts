import { inflateSync } from "node:zlib";
import { csvParse } from "d3-dsv";
import { DOMParser } from "linkedom";
import { afterEach, describe, expect, it, vi } from "vitest";
import { DURING } from "../../test/fakes/fill-scores.ts";
import { makeReportContent, makeReportScores } from "../../test/fakes/make-report.ts";
import { evaluateSplit } from "../evaluation/evaluate-split.ts";
import { isPrintable, loadFigurePrinter } from "../study/steps/print-figure.ts";
import { type Figure, figureCsv } from "./figure.ts";
import { figureSvg, fitText, textWidth, wrapText } from "./figure-svg.ts";
import { trustedHtml } from "./html.ts";
import { makeFigures } from "./make-figures.ts";

const { layerScores: atThinkEnd, ...rest } = makeReportContent("");
/** Platt maps, so that the reliability chart has all its lines, and every position. */
const maps = { platt: { method: "platt", slope: 1, offset: 0.2 } as const, isotonic: null };
const content = {
  ...rest,
  layerScores: ["before-generation", "second-to-last", "think-end", "last-token"].flatMap((position, i) =>
    atThinkEnd.map((score) => ({
      ...score,
      position: position as "think-end",
      auroc: { ...score.auroc, incorrect: 0.5 + (score.layer * (i + 1)) / 20 },
    })),
  ),
  evaluation: {
    ...rest.evaluation,
    math_test: evaluateSplit(makeReportScores(1), {
      tau: null,
      control: null,
      moments: DURING,
      resamples: 20,
      permutations: 19,
      maps: { accuracy_probe: maps, entropy_baseline: maps, se_probe_high_se: maps },
    }),
  },
};
const figures = [...makeFigures(content).values()];
const find = (name: string): Figure => figures.find((figure) => figure.name === name)!;
const parse = (svg: string) => new DOMParser().parseFromString(svg, "image/svg+xml").documentElement;

describe("a figure's SVG", () => {
  it.each(figures.map((figure) => [figure.name, figure] as const))(
    "%s needs nothing beside it",
    (_, figure) => {
      const svg = figureSvg(figure);
      expect(svg).toMatch(
        /^<\?xml version="1.0" encoding="UTF-8"\?>\n<svg xmlns="http:\/\/www.w3.org\/2000\/svg" /,
      );
      expect(svg).not.toMatch(
        /var\(|currentColor|class=|style|<foreignObject|<script|href|url\(|@import|inherit|NaN/,
      );
      const root = parse(svg);
      const [width, height] = ["width", "height"].map((name) => Number(root.getAttribute(name)));
      expect(root.getAttribute("viewBox")).toBe(`0 0 ${width} ${height}`);
      expect(root.getAttribute("font-family")).toMatch(/, sans-serif$/);
      expect(root.querySelector("rect")!.getAttribute("fill")).toBe("#ffffff");
      const colours = [...root.querySelectorAll("*")].flatMap((element) =>
        ["fill", "stroke"].flatMap((name) => element.getAttribute(name) ?? []),
      );
      expect(colours.filter((colour) => !/^(none|#[0-9a-f]{6})$/.test(colour))).toEqual([]);
      expect(root.querySelector("title")!.textContent).toBe(figure.heading);
      expect(root.textContent.includes(figure.empty)).toBe(figure.chart === null);
    },
  );

  it.each(figures.filter(({ chart }) => chart !== null).map((figure) => [figure.name, figure] as const))(
    "%s has an axis title each way and all of its legend, within its edges",
    (_, figure) => {
      const svg = figureSvg(figure);
      const root = parse(svg);
      const texts = [...root.querySelectorAll("text")].map((text) => text.textContent);
      const plain = texts.join(" ");
      expect(figure.legend.length).toBeGreaterThan(0);
      for (const { name, note } of figure.legend) {
        expect(plain).toContain(name);
        expect(plain).toContain(note);
      }
      // labels that are neither a tick nor of the legend
      const inChart = [...root.querySelectorAll('g[text-anchor="middle"] text')].map(
        (text) => text.textContent,
      );
      expect(inChart.filter((text) => /^(↑ )?[A-Z][\w(]/.test(text)).length).toBeGreaterThan(1);
      const width = Number(root.getAttribute("width"));
      for (const text of root.querySelectorAll("text[font-size]")) {
        const size = Number(text.getAttribute("font-size"));
        const wide = text.getAttribute("font-weight") === "bold" ? 1.15 : 1;
        const right = Number(text.getAttribute("x")) + textWidth(text.textContent) * size * wide;
        expect(right, text.textContent).toBeLessThanOrEqual(width);
      }
      const last = Math.max(
        ...[...root.querySelectorAll("text[font-size]")].map((text) => Number(text.getAttribute("y"))),
      );
      expect(last).toBeLessThan(Number(root.getAttribute("height")));
    },
  );

  it("shows each line of the chart in the legend, by colour and dashes", () => {
    for (const name of ["layers-incorrect"]) {
      const root = parse(figureSvg(find(name)));
      const lookOf = (element: { getAttribute(name: string): string | null }): string =>
        `${element.getAttribute("stroke")} ${element.getAttribute("stroke-dasharray") ?? "none"}`;
      const lines = [...root.querySelectorAll('g[text-anchor="middle"] g[stroke-linejoin]')].map(lookOf);
      const legend = [...root.querySelectorAll("svg > g:not([text-anchor]) line")].map(lookOf);
      expect(new Set(lines).size, name).toBeGreaterThan(3);
      for (const line of lines) expect(legend, name).toContain(line);
    }
  });

  it("names each curve beside it, in its colour and with its dashes", () => {
    for (const name of ["roc-test", "precision-recall-test", "risk-coverage-ood"]) {
      const root = parse(figureSvg(find(name)));
      const colours = [...root.querySelectorAll('g[text-anchor="middle"] g[stroke-linejoin]')].map((line) =>
        line.getAttribute("stroke"),
      );
      const labels = [...root.querySelectorAll("text, g")].filter((each) =>
        /^(——|– –|····|–·–) {2}[A-Z]/.test(each.textContent),
      );
      const named = labels.map((label) => label.textContent.slice(0, 3));
      expect(new Set(named).size, name).toBe(4);
      const fills = labels.flatMap((label) => label.getAttribute("fill") ?? []);
      for (const colour of colours.filter((each) => each !== "#a5a9b0" && each !== "#ffffff"))
        expect(fills, `${name} ${colour}`).toContain(colour);
    }
  });

  it("does not change text from outside that looks like a colour", () => {
    const chart = trustedHtml(
      '<svg width="9" height="9" aria-label="l"><text fill="currentColor">var(--ink) currentColor</text></svg>',
    );
    const svg = figureSvg({ ...find("transfer"), chart });
    expect(svg).toContain('<text fill="#1c1d20">var(--ink) currentColor</text>');
    const unknown = trustedHtml('<svg width="9" height="9"><path fill="var(--x)"/></svg>');
    expect(() => figureSvg({ ...find("transfer"), chart: unknown })).toThrow(/no color --x/);
  });

  it("numbers data sets whose names are too long for a column", () => {
    const text = JSON.stringify(content.transfer).replaceAll(
      "b/math",
      "a-data-set-with-a-name-that-is-too-long/math",
    );
    const long = makeFigures({ ...content, transfer: JSON.parse(text) }).get("transfer")!;
    const texts = [...parse(figureSvg(long)).querySelectorAll("text")].map((each) => each.textContent);
    expect(texts).toContain("1 a/math");
    expect(texts.filter((each) => each === "2")).toHaveLength(1);
    expect(texts.find((each) => each.startsWith("2 a-d"))).toMatch(/….*\/math$/);
  });
});

describe("text", () => {
  it("is broken at spaces and shortened in the middle", () => {
    expect(wrapText("one two three", textWidth("one two"))).toEqual(["one two", "three"]);
    expect(wrapText("unbreakable", 1)).toEqual(["unbreakable"]);
    expect(fitText("short", 9)).toBe("short");
    const shown = fitText("a-very-long-name/math", 8);
    expect(shown).toMatch(/^a-.*….*math$/);
    expect(textWidth(shown)).toBeLessThanOrEqual(8);
    expect(fitText("wwwwwwww", 0.5)).toBe("…");
  });
});

describe("a figure's PDF", () => {
  it.each(figures.map((figure) => [figure.name, figure] as const))(
    "%s is one page of vectors and text",
    async (_, figure) => {
      const print = await loadFigurePrinter("pdf");
      const svg = figureSvg(figure);
      const bytes = await print(svg, figure.heading);
      const text = Buffer.from(bytes).toString("latin1");
      expect(text).toMatch(/^%PDF-1\.\d/);
      expect(text.trimEnd()).toMatch(/%%EOF$/);
      expect(text.match(/\/Type \/Page\b/g)).toHaveLength(1);
      const root = parse(svg);
      const points = ["width", "height"].map((name) => Number(root.getAttribute(name)) * 0.75);
      expect(text).toContain(`/MediaBox [0 0 ${points[0]} ${points[1]}]`);
      // embedded, with the way back to characters, and no pixels
      expect(text).toMatch(/\/FontFile2 /);
      expect(text).toMatch(/\/ToUnicode /);
      expect(text).not.toMatch(/\/Subtype \/Image/);
      const glyphs = streamsOf(bytes).flatMap((stream) => stream.match(/<[0-9a-f]+> Tj/g) ?? []);
      const letters = [...root.querySelectorAll("text")].map((each) => each.textContent).join("");
      expect(glyphs.join("").length).toBeGreaterThan(4 * letters.length);
    },
  );

  it("is the same bytes each time", async () => {
    const once = await (await loadFigurePrinter("pdf"))(figureSvg(find("roc-test")), "ROC");
    await new Promise((resolve) => setTimeout(resolve, 1100)); // a time in the file would be another second now
    expect(await (await loadFigurePrinter("pdf"))(figureSvg(find("roc-test")), "ROC")).toEqual(once);
  });
});

describe("a figure's PNG", () => {
  it("has 300 dots an inch, its text without any font of the machine, and the same bytes each time", async () => {
    const print = await loadFigurePrinter("png");
    const svg = figureSvg(find("roc-test"));
    const bytes = Buffer.from(await print(svg, "ROC"));
    expect(bytes.subarray(0, 8).toString("latin1")).toBe("\x89PNG\r\n\x1a\n");
    const root = parse(svg);
    const dots = (name: string): number => (Number(root.getAttribute(name)) * 300) / 96;
    expect(Math.abs(bytes.readUInt32BE(16) - dots("width"))).toBeLessThan(1);
    expect(Math.abs(bytes.readUInt32BE(20) - dots("height"))).toBeLessThan(1);
    const silent = await print(svg.replace(/<text.*?<\/text>/g, ""), "ROC");
    expect(bytes.length).toBeGreaterThan(1.1 * silent.length);
    expect(Buffer.from(await print(svg, "ROC"))).toEqual(bytes);
  });
});

describe("the packages for PDF and PNG", () => {
  afterEach(() => {
    vi.doUnmock("@resvg/resvg-js");
    vi.resetModules();
  });

  it("are asked for by name where they are not there", async () => {
    vi.resetModules();
    vi.doMock("@resvg/resvg-js", () => {
      throw new Error("Cannot find package '@resvg/resvg-js'");
    });
    const { loadFigurePrinter: load } = await import("../study/steps/print-figure.ts");
    await expect(load("png")).rejects.toMatchObject({
      code: "figures-unavailable",
      message: expect.stringMatching(
        /^Figures as PNG need optional packages .*--omit=optional, or ask for --figures svg\.$/,
      ),
    });
    expect(await (await load("svg"))("<svg/>", "")).toEqual(Buffer.from("<svg/>"));
  });

  it("have a font with Latin, Greek, Cyrillic and Hebrew letters", () => {
    expect(isPrintable("Größe ≤ τ, Данные, ↑ − × …")).toBe(true);
    expect(isPrintable("科学")).toBe(false);
    expect(isPrintable("data 🙂")).toBe(false);
  });
});

describe("a figure's CSV", () => {
  it("has the numbers of the evaluation", () => {
    const roc = csvParse(figureCsv(find("roc-test")));
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

/** The uncompressed streams of a PDF that are text. */
function streamsOf(bytes: Uint8Array): string[] {
  const text = Buffer.from(bytes).toString("latin1");
  return [...text.matchAll(/\/FlateDecode\s*>>\s*stream\n([\s\S]*?)\nendstream/g)].map(([, packed]) =>
    inflateSync(Buffer.from(packed!, "latin1")).toString("latin1"),
  );
}
