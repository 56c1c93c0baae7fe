import { type ParseArgsConfig, parseArgs } from "node:util";
import { SepError } from "../errors.ts";
import {
  type DescribedSetting,
  describeExpected,
  describeSetting,
  parseTexts,
  type Settings,
  type SettingsOutput,
} from "../study/settings/setting.ts";
import { suggestName } from "../text/suggest-name.ts";

/** A command line that has been read. */
export interface ParsedOptions<S extends Settings> {
  readonly values: SettingsOutput<S>;
  /** Names of the options given on it. */
  readonly given: ReadonlySet<string>;
}

/**
 * Reads a command's arguments against its settings.
 * @param file settings that hold where the command line has none
 * @throws SepError `bad-option` with what was got and what was expected
 */
export function parseOptions<S extends Settings>(
  command: string,
  settings: S,
  args: readonly string[],
  file: Readonly<Record<string, unknown>> = {},
): ParsedOptions<S> {
  const options = Object.entries(settings).map(([name, schema]) => ({
    name,
    schema,
    ...describeSetting(name, schema),
  }));
  const texts = collect(command, options, args);
  const values: Record<string, unknown> = {};
  for (const { name, schema, flag, operand, placeholder } of options) {
    const given = texts.get(name);
    if (given === undefined) {
      const initial = schema.safeParse(file[name]);
      if (!initial.success && operand !== undefined)
        throw usage(`\`sep ${command}\` needs ${placeholder}. See \`sep ${command} --help\`.`);
      if (!initial.success) throw usage(`\`sep ${command}\` needs --${flag} ${placeholder}.`);
      values[name] = initial.data;
      continue;
    }
    const parsed = parseTexts(schema, given);
    if (parsed === undefined)
      throw usage(
        `Got --${flag} ${given.map(quoteIfEmpty).join(" ")}, expected ${describeExpected(schema, "text")}.`,
      );
    values[name] = parsed.value;
  }
  return { values: values as SettingsOutput<S>, given: new Set(texts.keys()) };
}

/** A command's options, as its schemas describe them. */
export const listOptions = (settings: Settings): readonly DescribedSetting[] =>
  Object.entries(settings).map(([name, schema]) => describeSetting(name, schema));

type Option = DescribedSetting & { readonly name: string; readonly schema: Settings[string] };

/** Name of a setting -> the texts of its option's occurrences; flags have "" each. */
function collect(
  command: string,
  options: readonly Option[],
  args: readonly string[],
): Map<string, string[]> {
  const config: ParseArgsConfig["options"] = Object.fromEntries(
    options.map(({ flag, takesValue }) => [flag, { type: takesValue ? "string" : "boolean" }]),
  );
  const { tokens } = parseArgs({ args: [...args], options: config, strict: false, tokens: true });
  const given = new Map<string, string[]>();
  const add = (name: string, text: string): void => void given.set(name, [...(given.get(name) ?? []), text]);
  const rest = options.find(({ isRest }) => isRest);
  const operand = options.find((option) => option.operand !== undefined);
  for (const token of tokens) {
    if (token.kind === "option-terminator") {
      if (rest === undefined) continue;
      given.set(rest.name, args.slice(token.index + 1));
      break;
    }
    if (token.kind === "positional") {
      if (operand === undefined || (given.has(operand.name) && operand.operand === "one")) {
        const takes = operand === undefined ? "options only" : `one ${operand.placeholder} only`;
        throw usage(
          `\`sep ${command}\` takes ${takes}, got "${token.value}". See \`sep ${command} --help\`.`,
        );
      }
      add(operand.name, token.value);
      continue;
    }
    const option = options.find(({ flag }) => flag === token.name);
    if (option === undefined) throw unknownOption(command, options, token.rawName);
    const { flag, name, takesValue, schema } = option;
    if (!takesValue && token.value !== undefined)
      throw usage(`Got --${flag}=${token.value}, but --${flag} takes no value.`);
    if (takesValue && (token.value === undefined || looksLikeOption(token)))
      throw usage(
        `--${flag} needs a value: ${describeExpected(schema, "text")}. To give one that starts with a dash, write --${flag}=VALUE.`,
      );
    add(name, token.value ?? "");
  }
  return given;
}

/** The value was the next argument, and that is an option itself: the value was forgotten. */
function looksLikeOption({ value, inlineValue }: { value?: string; inlineValue?: boolean }): boolean {
  return inlineValue === false && value !== undefined && /^--?[a-z]/i.test(value);
}

function unknownOption(command: string, options: readonly Option[], rawName: string): SepError {
  const suggestion = suggestName(
    rawName.replace(/^-+/, ""),
    options.map(({ flag }) => flag),
  );
  const guess = suggestion === null ? "" : ` Did you mean --${suggestion}?`;
  return usage(`\`sep ${command}\` has no option ${rawName}.${guess} See \`sep ${command} --help\`.`);
}

const usage = (message: string): SepError => new SepError("bad-option", message);

const quoteIfEmpty = (text: string): string => (text === "" ? '""' : text);
