import { type DescribedSetting, SETTING_GROUPS, type Settings } from "../study/settings/setting.ts";
import { readTool } from "../study/step.ts";
import type { Command } from "./command.ts";
import type { CommandGroup } from "./commands.ts";
import { listOptions } from "./options.ts";
import { type Look, wrap } from "./terminal.ts";

/** The help of `sep` itself: all commands, under their headings. */
export function describeCli(groups: readonly CommandGroup[], look: Look): string {
  const { columns, paint } = look;
  const names = groups.flatMap(({ commands }) => commands.map(({ name }) => name));
  return [
    `${paint("bold", `sep ${readTool().version}`)}: know when a language model does not know`,
    `Usage: ${paint("cyan", "sep COMMAND [options]")}`,
    ...groups.map(({ title, commands }) =>
      [paint("bold", `${title}:`), ...listCommands(commands, columnAfter(names), look)].join("\n"),
    ),
    wrap(
      "`sep COMMAND --help` lists a command's options. `sep run` does everything, offline, with the embedded model.",
      columns,
    ).join("\n"),
  ].join("\n\n");
}

/** The help of the first word of several commands, such as `sep models`. */
export function describeSubcommands(commands: readonly Command[], look: Look): string {
  const names = commands.map(({ name }) => name);
  const [group = ""] = (names[0] ?? "").split(" ");
  return [
    `Usage: ${look.paint("cyan", `sep ${group} COMMAND [options]`)}`,
    [look.paint("bold", "Commands:"), ...listCommands(commands, columnAfter(names), look)].join("\n"),
    wrap(`\`sep ${group} COMMAND --help\` lists a command's options.`, look.columns).join("\n"),
  ].join("\n\n");
}

/** The help of one command: usage, every option with its default, examples. */
export function describeCommand({ name, summary, options, examples }: Command, look: Look): string {
  const { columns, paint } = look;
  const listed = listOptions(options);
  const operands = listed.flatMap(({ operand, placeholder }) =>
    operand === undefined ? [] : [operand === "sentence" ? `[${placeholder}]` : placeholder],
  );
  const rest = listed.some(({ isRest }) => isRest) ? " [-- ARGS]" : "";
  return [
    wrap(`sep ${name}: ${summary}`, columns).join("\n"),
    `Usage: ${paint("cyan", `sep ${[name, ...operands].join(" ")} [options]${rest}`)}`,
    describeOptions(options, look),
    [
      paint("bold", "Examples:"),
      ...examples.flatMap(({ line, meaning }) => [
        ...wrap(meaning, columns - 4).map((text) => paint("gray", `  # ${text}`)),
        `  ${line}`,
      ]),
    ].join("\n"),
  ].join("\n\n");
}

/** A command's options under the headings of their groups, each with what it does and its default. */
export function describeOptions(settings: Settings, look: Look): string {
  const listed = listOptions(settings);
  const column = columnAfter(listed.map((option) => `${nameOf(option)} ${option.placeholder}`.trim()));
  const groups = groupOptions(listed);
  return groups
    .map(([title, options]) =>
      [
        look.paint("bold", groups.length === 1 ? "Options:" : `${title}:`),
        ...options.flatMap((option) => describeOption(option, column, look)),
      ].join("\n"),
    )
    .join("\n\n");
}

/** In the order of the groups; what a command works on comes before its options. */
export function groupOptions(
  options: readonly DescribedSetting[],
): (readonly [title: string, options: readonly DescribedSetting[]])[] {
  const sorted = [
    ...options.filter(({ operand }) => operand !== undefined),
    ...options.filter(({ operand }) => operand === undefined),
  ];
  return SETTING_GROUPS.flatMap((title) => {
    const own = sorted.filter(({ group }) => group === title);
    return own.length === 0 ? [] : [[title, own] as const];
  });
}

const nameOf = ({ flag, operand, isRest }: DescribedSetting): string =>
  operand !== undefined ? "" : isRest ? "--" : `--${flag}`;

function describeOption(option: DescribedSetting, column: number, { columns, paint }: Look): string[] {
  const { placeholder, help, defaultText } = option;
  const name = nameOf(option);
  const left = `  ${`${name} ${placeholder}`.trim()}`;
  // alternatives that do not fit beside the name continue below it
  const [first = "", ...more] = wrap(left.trim().replaceAll("|", "| "), columns - 2 - MARGIN).map((line) =>
    line.replaceAll("| ", "|"),
  );
  const painted = `  ${paint("cyan", name)}${first.slice(name.length)}`;
  const margin = " ".repeat(columns < BESIDE ? MARGIN : column);
  const text = defaultText === null ? help : `${help} [${defaultText}]`;
  const lines = wrap(text, columns - margin.length).map((line) => margin + line);
  if (left.length + 2 > margin.length)
    return [painted, ...more.map((line) => " ".repeat(MARGIN) + line), ...lines];
  const [start = "", ...others] = lines;
  return [painted + start.slice(left.length), ...others];
}

function listCommands(commands: readonly Command[], column: number, { columns, paint }: Look): string[] {
  return commands.flatMap(({ name, summary }) => {
    if (columns < BESIDE)
      return [
        `  ${paint("cyan", name)}`,
        ...wrap(summary, columns - MARGIN).map((line) => `${" ".repeat(MARGIN)}${line}`),
      ];
    const [first = "", ...more] = wrap(summary, columns - column);
    return [
      `  ${paint("cyan", name)}${" ".repeat(column - 2 - name.length)}${first}`,
      ...more.map((line) => `${" ".repeat(column)}${line}`),
    ];
  });
}

/** Where texts begin beside names, of which the longest ones have a line of their own. */
const columnAfter = (names: readonly string[]): number =>
  Math.min(WIDEST_NAME, Math.max(...names.map(({ length }) => length))) + 4;

const WIDEST_NAME = 24;
/** Columns from which there is room for a text beside an option's name. */
const BESIDE = 72;
const MARGIN = 6;
