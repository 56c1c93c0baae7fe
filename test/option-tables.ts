import type { Command } from "../src/cli/command.ts";
import { groupOptions } from "../src/cli/help.ts";
import { type DescribedSetting, describeSetting, SETTING_GROUPS } from "../src/study/settings/setting.ts";

/**
 * The options of all commands as Markdown tables, from their schemas, under the headings of the help: one table per set of
 * commands that share options, in the order in which the commands have them.
 */
export function writeOptionTables(commands: readonly Command[]): string {
  const sharers = new Map<string, string[]>();
  const rows = new Map<string, DescribedSetting>();
  const ids = new Map<unknown, number>();
  for (const { name: command, options } of commands)
    for (const [name, schema] of Object.entries(options)) {
      if (!ids.has(schema)) ids.set(schema, ids.size);
      const key = `${name} ${ids.get(schema)}`;
      sharers.set(key, [...(sharers.get(key) ?? []), command]);
      rows.set(key, describeSetting(name, schema));
    }
  const tables = new Map<string, DescribedSetting[]>();
  for (const [key, names] of sharers) {
    const heading = names.map((name) => `\`sep ${name}\``).join(", ");
    tables.set(heading, [...(tables.get(heading) ?? []), rows.get(key) as DescribedSetting]);
  }
  const groups = new Map<string, string[]>();
  for (const [heading, options] of tables)
    for (const [group, own] of groupOptions(options))
      groups.set(group, [...(groups.get(group) ?? []), `${heading}:\n\n${writeTable(own)}`]);
  return SETTING_GROUPS.map((group) => `#### ${group}\n\n${(groups.get(group) ?? []).join("\n")}`).join("\n");
}

const writeTable = (options: readonly DescribedSetting[]): string =>
  [
    "| option | default | meaning |",
    "| --- | --- | --- |",
    ...options.map(
      (option) => `| ${describeFlag(option)} | ${describeDefault(option)} | ${describeMeaning(option)} |`,
    ),
    "",
  ].join("\n");

const describeFlag = ({ flag, placeholder, takesValue, isRest, operand }: DescribedSetting): string => {
  const value = placeholder.replaceAll("|", "\\|");
  if (isRest) return `\`-- ${value}\``;
  const full = `\`--${flag}${takesValue ? ` ${value}` : ""}\``;
  return operand === undefined ? full : `\`${value}\`, ${full}`;
};

const describeDefault = ({ defaultText, fallback }: DescribedSetting): string =>
  defaultText === null ? "" : fallback === undefined ? `\`${defaultText}\`` : defaultText;

/** Pages that a help text names are links here. */
const describeMeaning = ({ help }: DescribedSetting): string =>
  help.replaceAll("|", "\\|").replace(/docs\/([a-z-]+\.md)/g, "[$1]($1)");
