import { type ParseArgsConfig, parseArgs } from "node:util";
import { SepError } from "../errors.ts";
import type { OptionTable, OptionValues } from "./option-spec.ts";
import { suggestName } from "./suggest-name.ts";
import { wrap } from "./wrap.ts";

/**
 * Reads a command's arguments against its option table.
 * @throws SepError `bad-option` with what was got and what was expected
 */
export function parseOptions<Table extends OptionTable>(
  command: string,
  table: Table,
  args: readonly string[],
): OptionValues<Table> {
  const given = collect(command, table, args);
  const values: Record<string, unknown> = {};
  for (const [name, spec] of Object.entries(table)) {
    const texts = given.get(name);
    if (texts === undefined) {
      if (spec.isOperand && !spec.isOptional) {
        throw usage(`\`sep ${command}\` needs ${spec.placeholder}. See \`sep ${command} --help\`.`);
      }
      values[name] = spec.initial;
      continue;
    }
    const value = spec.parse(texts);
    if (value === undefined)
      throw usage(`Got --${name} ${texts.map(quoteIfEmpty).join(" ")}, expected ${spec.expected}.`);
    values[name] = value;
  }
  return values as OptionValues<Table>;
}

/** The options part of a command's help, one option a paragraph line, wrapped to `width` columns. */
export function describeOptions(table: OptionTable, width: number): string {
  const rows = Object.entries(table).map(([name, spec]) => ({
    left: spec.isOperand
      ? `  ${spec.placeholder}`
      : spec.isRest
        ? `  -- ${spec.placeholder}`
        : `  --${name}${spec.takesValue ? ` ${spec.placeholder}` : ""}`,
    right: spec.defaultText === null ? spec.help : `${spec.help} [${spec.defaultText}]`,
  }));
  const column = Math.min(32, Math.max(...rows.map(({ left }) => left.length)) + 2);
  return rows
    .map(({ left, right }) => {
      const lines = wrap(right, width - column);
      const fits = left.length < column;
      const first = fits ? left.padEnd(column) + (lines.shift() ?? "") : left;
      return [first, ...lines.map((line) => " ".repeat(column) + line)].join("\n");
    })
    .join("\n");
}

/** Option name -> the texts of its occurrences; flags have "" each. */
function collect(command: string, table: OptionTable, args: readonly string[]): Map<string, string[]> {
  const options: ParseArgsConfig["options"] = Object.fromEntries(
    Object.entries(table).map(([name, spec]) => [name, { type: spec.takesValue ? "string" : "boolean" }]),
  );
  const { tokens } = parseArgs({ args: [...args], options, strict: false, tokens: true });
  const given = new Map<string, string[]>();
  const rest = Object.keys(table).find((name) => table[name]?.isRest);
  for (const token of tokens) {
    if (token.kind === "option-terminator") {
      if (rest === undefined) continue;
      given.set(rest, args.slice(token.index + 1));
      break;
    }
    if (token.kind === "positional") {
      const operand = Object.keys(table).find((name) => table[name]?.isOperand);
      if (operand === undefined || (given.has(operand) && !table[operand]?.isRepeatable)) {
        const takes = operand === undefined ? "options only" : `one ${table[operand]?.placeholder} only`;
        throw usage(
          `\`sep ${command}\` takes ${takes}, got "${token.value}". See \`sep ${command} --help\`.`,
        );
      }
      given.set(operand, [...(given.get(operand) ?? []), token.value]);
      continue;
    }
    const spec = Object.hasOwn(table, token.name) ? table[token.name] : undefined;
    if (spec === undefined) throw unknownOption(command, table, token.rawName);
    if (!spec.takesValue && token.value !== undefined)
      throw usage(`Got --${token.name}=${token.value}, but --${token.name} takes no value.`);
    if (spec.takesValue && (token.value === undefined || looksLikeOption(token)))
      throw usage(
        `--${token.name} needs a value: ${spec.expected}. To give one that starts with a dash, write --${token.name}=VALUE.`,
      );
    given.set(token.name, [...(given.get(token.name) ?? []), token.value ?? ""]);
  }
  return given;
}

/** The value was the next argument, and that is an option itself: the value was forgotten. */
function looksLikeOption({ value, inlineValue }: { value?: string; inlineValue?: boolean }): boolean {
  return inlineValue === false && value !== undefined && /^--?[a-z]/i.test(value);
}

function unknownOption(command: string, table: OptionTable, rawName: string): SepError {
  const suggestion = suggestName(rawName.replace(/^-+/, ""), Object.keys(table));
  const guess = suggestion === null ? "" : ` Did you mean --${suggestion}?`;
  return usage(`\`sep ${command}\` has no option ${rawName}.${guess} See \`sep ${command} --help\`.`);
}

const usage = (message: string): SepError => new SepError("bad-option", message);

const quoteIfEmpty = (text: string): string => (text === "" ? '""' : text);
