import { SepError } from "../errors.ts";
import { readTool } from "../study/version.ts";
import type { CliContext } from "./command.ts";
import type { SERVER_OPTIONS } from "./notebook-options.ts";
import { hasScreen, openBrowser } from "./open-browser.ts";
import type { OptionValues } from "./option-spec.ts";
import { createPaint } from "./paint.ts";
import { formatDuration } from "./progress-meter.ts";

/** What `sep` asks of the package that has the notebook. It finishes when the command does, and writes its output itself. */
export interface NotebookPackage {
  edit(
    file: string,
    options: Serving & { isNew: boolean; hasAgent: boolean; runs: boolean; isLazy: boolean },
    terminal: NotebookTerminal,
  ): Promise<void>;
  app(file: string, options: Serving, terminal: NotebookTerminal): Promise<void>;
  /** This and the following say whether all went well. */
  run(
    file: string,
    options: { args: readonly string[]; json: boolean; quiet: boolean },
    terminal: NotebookTerminal,
  ): Promise<boolean>;
  exportPage(
    file: string,
    options: {
      args: readonly string[];
      to: string | undefined;
      runs: boolean;
      showsCode: boolean;
      json: boolean;
    },
    terminal: NotebookTerminal,
  ): Promise<boolean>;
  check(file: string, options: { json: boolean }, terminal: NotebookTerminal): Promise<boolean>;
}

interface Serving {
  readonly args: readonly string[];
  readonly host: string;
  readonly port: number | undefined;
  readonly hasToken: boolean;
  readonly letsAnyoneIn: boolean;
  readonly opensBrowser: boolean;
}

/** The command's own world, and how it writes. */
export interface NotebookTerminal extends CliContext {
  readonly createPaint: typeof createPaint;
  readonly formatDuration: typeof formatDuration;
  /** null where there is no screen. */
  readonly openBrowser: ((address: string) => void) | null;
}

const NAME = "semantic-entropy-probes-notebook";

/**
 * Loads the notebook, which a library's user does without.
 * @throws SepError `package-missing` if it is not installed
 */
export async function loadNotebook(name: string = NAME): Promise<NotebookPackage> {
  try {
    // not a literal: that package is built after this one, whose compiler must not look for it
    return (await import(`${name}/commands`)) as NotebookPackage;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== "ERR_MODULE_NOT_FOUND" || !message.includes(`'${name}`)) throw error;
    throw new SepError(
      "package-missing",
      `The notebook is a package of its own, and not installed. Install it beside this one: \`npm install ${name}@${readTool().version}\`, with -g if \`sep\` was installed with it.`,
      { cause: error },
    );
  }
}

export const terminalOf = (context: CliContext): NotebookTerminal => ({
  ...context,
  createPaint,
  formatDuration,
  openBrowser: hasScreen(context) ? (address) => openBrowser(address, context) : null,
});

/** How a notebook is served, out of the options. */
export const servingOf = (values: OptionValues<typeof SERVER_OPTIONS>): Serving => ({
  args: values.args,
  host: values.host,
  port: values.port,
  hasToken: !values["no-token"],
  letsAnyoneIn: values["let-anyone-in"],
  opensBrowser: !values["no-open"],
});
