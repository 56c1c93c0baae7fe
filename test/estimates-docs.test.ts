import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { ESTIMATE_NEEDS, type Estimate } from "../src/entropy/measures/estimate.ts";
import { chooseEstimates, ESTIMATES } from "../src/entropy/measures/estimate-registry.ts";
import { SE_MODES } from "../src/entropy/se-mode.ts";

const page = readFileSync(new URL("../docs/estimates.md", import.meta.url), "utf8");

const PUBLISHED = { same: "the same", minus: "minus this", "one-minus": "1 - this" } as const;

/** An estimate's row in the table of docs/estimates.md. */
function renderRow({
  name,
  title,
  formula,
  needs,
  range,
  published,
  source,
  checkedAgainst,
}: Estimate): string {
  const cells = [
    `\`${name}\``,
    title,
    formula.replaceAll("|", "\\|"),
    needs.map((need) => ESTIMATE_NEEDS[need]).join("; ") || "texts and clusters",
    range,
    PUBLISHED[published],
    source,
    checkedAgainst,
  ];
  return `| ${cells.join(" | ")} |`;
}

test("docs/estimates.md has each estimate's row as the registry has it, in order, and no other", () => {
  const rows = page.split("\n").filter((line) => /^\| `[a-z_]+` \|(?:.*\|){7}/.test(line));
  expect(rows).toEqual(ESTIMATES.map(renderRow));
});

test("docs/estimates.md says which estimates are computed unasked, and describes each mode", () => {
  for (const { name } of chooseEstimates("default"))
    expect(page.split("## All of them")[0]).toContain(`\`${name}\``);
  for (const mode of Object.keys(SE_MODES)) expect(page).toMatch(new RegExp(`^\\| \`${mode}\` +\\|`, "m"));
});
