import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  formatBytes,
  formatInterval,
  formatNumber,
  formatOfHundred,
  formatPEquation,
  formatPercent,
  formatPValue,
  formatSigned,
  formatSignificant,
} from "./format-numbers.ts";

it.each([
  [0, "fewer than 1"],
  [0.0049, "fewer than 1"],
  [0.005, "about 1"],
  [0.22, "about 22"],
  [0.9949, "about 99"],
  [0.995, "more than 99"],
  [1, "more than 99"],
])("a share of %d is %s of 100", (share, shown) => {
  expect(formatOfHundred(share)).toBe(shown);
});

describe("a p-value", () => {
  it.each([
    // what 1000 permutations can give at least: a bound, not a measurement
    [1 / 1001, 1000, "≤ 0.001"],
    [1 / 20, 19, "≤ 0.050"],
    [1 / 51, 50, "≤ 0.020"],
    [1 / 100_001, 100_000, "≤ 0.001"],
    [2 / 1001, 1000, "0.002"],
    [2 / 100_001, 100_000, "< 0.001"],
    [0.0112, 1000, "0.011"],
    [1, 1000, "1.000"],
    [0.0098, null, "0.010"],
    [1e-12, null, "< 0.001"],
    [null, 1000, "none"],
  ])("%d of %d permutations is %s", (value, permutations, shown) => {
    expect(formatPValue(value, permutations)).toBe(shown);
  });

  it("never reads as zero, nor below what it is at the bound", () => {
    for (let permutations = 1; permutations < 3000; permutations += 7) {
      const least = 1 / (1 + permutations);
      const shown = formatPValue((1 + 0) / (1 + permutations), permutations);
      expect(shown).toMatch(/^≤ \d\.\d{3}$/);
      expect(Number(shown.slice(2))).toBeGreaterThanOrEqual(least);
      expect(Number(shown.slice(2)) - least).toBeLessThan(0.001);
    }
  });

  it("is written with its sign in a sentence", () => {
    expect(formatPEquation(0.4751, 1000)).toBe("p = 0.475");
    expect(formatPEquation(1 / 1001, 1000)).toBe("p ≤ 0.001");
    expect(formatPEquation(0.0001, null)).toBe("p < 0.001");
  });
});

describe("a number", () => {
  it("has one minus sign, and none at zero", () => {
    expect(formatNumber(-0.1724)).toBe("−0.172");
    expect(formatNumber(-0.0001)).toBe("0.000");
    expect(formatNumber(null)).toBe("none");
    expect(formatSigned(-0.1724)).toBe("−0.172");
    expect(formatSigned(0.1724, 1)).toBe("+0.2");
    expect(formatSigned(-0.0001)).toBe("+0.000");
    expect(formatPercent(-0.125, 1)).toBe("−12.5%");
    expect(formatPercent(-0.001)).toBe("0%");
    expect(formatSignificant(1.034e-8)).toBe("1.03e−8");
    expect(formatSignificant(-0.25)).toBe("−0.25");
    const intervals = [
      { level: 0.9, low: 0, high: 0 },
      { level: 0.95, low: -0.69, high: 0.354 },
    ];
    expect(formatInterval(intervals)).toBe("−0.69 to 0.35");
    expect(formatInterval(intervals, { decimals: 3, signed: true })).toBe("−0.690 to +0.354");
    expect(formatInterval([])).toBe("none");
  });
});

it("is formatted nowhere else in the report and in what the commands describe", () => {
  const files = ["../report", "../study/steps", "../cli"].flatMap((folder) => {
    const at = new URL(`${folder}/`, import.meta.url);
    return readdirSync(at)
      .filter((name) => /\.ts$/.test(name) && !name.endsWith(".test.ts"))
      .filter((name) => folder === "../report" || /^(describe|print|write)-/.test(name))
      .map((name) => ({ name, source: readFileSync(new URL(name, at), "utf8") }));
  });
  expect(files.length).toBeGreaterThan(15);
  for (const { name, source } of files) expect(source, name).not.toMatch(/\.toFixed\(|\.toPrecision\(/);
});

it.each([
  [0, undefined, "0 B"],
  [999, undefined, "999 B"],
  [12_345, undefined, "12 kB"],
  [3_440_000, undefined, "3.4 MB"],
  [1_234_567_890, undefined, "1.2 GB"],
  [6.5e14, undefined, "650.0 TB"],
  [300_000_000, 1.2e9, "0.3 GB"],
  [0, 5e6, "0.0 MB"],
])("%d on the scale of %s is %s", (sizeBytes, scaleBytes, text) => {
  expect(formatBytes(sizeBytes, scaleBytes)).toBe(text);
});
