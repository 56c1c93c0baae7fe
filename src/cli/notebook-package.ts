import { z } from "zod";
import { SepError } from "../errors.ts";
import { flag, operand, restArguments, type SettingsOutput, setting } from "../study/settings/setting.ts";
import { readTool } from "../study/step.ts";
import type { CliContext } from "./command.ts";
import { hasScreen, openBrowser } from "./open-browser.ts";
import { formatDuration } from "./progress-meter.ts";
import { createPaint } from "./terminal.ts";

/** Of every command that serves a notebook. */
export const NOTEBOOK_SERVER = {
  notebook: operand("FILE", "Notebook: an HTML file in the format of Observable Notebook 2."),
  port: setting(z.int().min(0).max(65535).optional(), "Port to listen on; 0 takes a free one.", {
    fallback: "4802, or a free one",
  }),
  host: setting(z.string().min(1).default("127.0.0.1"), "Address to listen on.", { placeholder: "ADDRESS" }),
  noToken: flag(
    "Let every user of this machine in without a token. Other web pages and other machines are still refused; docs/notebook.md.",
  ),
  letAnyoneIn: flag(
    "Confirm --no-token together with a --host that other machines can reach: everybody who reaches it may run code here.",
  ),
  noOpen: flag("Do not open a browser."),
  args: restArguments("Arguments that the notebook reads as `args`: `-- --k 20` gives `{ k: 20 }`."),
};

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
interface NotebookTerminal extends CliContext {
  readonly createPaint: typeof createPaint;
  readonly formatDuration: typeof formatDuration;
  /** null if there is no screen. */
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
      `The notebook is a separate package that is not installed. Install it beside this one: \`npm install ${name}@${readTool().version}\`, with -g if \`sep\` was installed with it.`,
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
export const servingOf = (values: SettingsOutput<typeof NOTEBOOK_SERVER>): Serving => ({
  args: values.args,
  host: values.host,
  port: values.port,
  hasToken: !values.noToken,
  letsAnyoneIn: values.letAnyoneIn,
  opensBrowser: !values.noOpen,
});
