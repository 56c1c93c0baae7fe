import type { Command } from "../src/cli/command.ts";
import { groupOptions } from "../src/cli/help.ts";
import { listOptions } from "../src/cli/options.ts";
import type { DescribedSetting } from "../src/study/settings/setting.ts";

/** The page of a command in docs/cli/; commands that share their first word share a page. */
export const pageOf = ({ name }: Command): string => `${name.split(" ")[0]}.md`;

/** The pages of docs/cli/ by name: usage, examples and options of each command, from its schemas, as the help has them. */
export function writeCommandPages(commands: readonly Command[]): Map<string, string> {
  const pages = new Map<string, Command[]>();
  for (const command of commands)
    pages.set(pageOf(command), [...(pages.get(pageOf(command)) ?? []), command]);
  return new Map([...pages].map(([page, own]) => [page, writePage(own)]));
}

function writePage(commands: readonly Command[]): string {
  const [first] = commands as [Command];
  const note =
    "<!-- Generated from src/cli and src/study/settings: UPDATE_DOCS=1 npx vitest run test/docs.test.ts -->";
  if (commands.length === 1)
    return [`# sep ${first.name}`, note, ...describe(first, "##")].join("\n\n").concat("\n");
  const sections = commands.flatMap((command) => [`## sep ${command.name}`, ...describe(command, "###")]);
  return [`# sep ${first.name.split(" ")[0]}`, note, ...sections].join("\n\n").concat("\n");
}

function describe({ name, summary, options, examples }: Command, heading: string): string[] {
  const described = listOptions(options);
  const operands = described.flatMap(({ operand, placeholder }) =>
    operand === undefined ? [] : [operand === "sentence" ? `[${placeholder}]` : placeholder],
  );
  const rest = described.some(({ isRest }) => isRest) ? " [-- ARGS]" : "";
  const groups = groupOptions(described);
  return [
    `${summary.charAt(0).toUpperCase()}${linkPages(summary.slice(1))}.`,
    ["```text", `sep ${[name, ...operands].join(" ")} [options]${rest}`, "```"].join("\n"),
    `${heading} Examples`,
    ["```bash", ...examples.map(({ line, meaning }) => `# ${meaning}\n${line}`), "```"].join("\n"),
    ...groups.flatMap(([title, own]) => [
      `${heading} ${groups.length === 1 ? "Options" : title}`,
      writeTable(own),
    ]),
  ];
}

const writeTable = (options: readonly DescribedSetting[]): string =>
  [
    "| option | default | meaning |",
    "| --- | --- | --- |",
    ...options.map(
      (option) => `| ${describeFlag(option)} | ${describeDefault(option)} | ${describeMeaning(option)} |`,
    ),
  ].join("\n");

const describeFlag = ({ flag, placeholder, takesValue, isRest, operand }: DescribedSetting): string => {
  const value = placeholder.replaceAll("|", "\\|");
  if (isRest) return `\`-- ${value}\``;
  const full = `\`--${flag}${takesValue ? ` ${value}` : ""}\``;
  return operand === undefined ? full : `\`${value}\`, ${full}`;
};

const describeDefault = ({ defaultText, fallback }: DescribedSetting): string =>
  defaultText === null ? "" : fallback === undefined ? `\`${defaultText}\`` : linkPages(defaultText);

const describeMeaning = ({ help }: DescribedSetting): string => linkPages(help.replaceAll("|", "\\|"));

/** Help as Markdown: pages that it names are links; files, options and what is in brackets are code, which the site leaves as it is. */
const linkPages = (text: string): string =>
  text
    .split(/(`[^`]*`)/)
    .map((part, i) =>
      i % 2 === 1 ? part : part.replace(/docs\/([a-z-]+)\.md/g, "[$1](../$1.md)").replace(CODE, "`$&`"),
    )
    .join("");

const CODE =
  /\b(?:data|artifacts|seeds|shards)\/(?:[\w{}*/-]|[.,](?=\w))*|\{[^{}]*\}|<[^<>]*>|(?<![\w-])--[a-z][a-z-]*/g;
