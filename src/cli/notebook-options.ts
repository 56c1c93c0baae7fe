import { flag, number, type OptionSpec, operand, restArguments, text } from "./option-spec.ts";

/** Options of every command that serves a notebook. */
export const SERVER_OPTIONS: {
  readonly notebook: OptionSpec<string>;
  readonly port: OptionSpec<number | undefined>;
  readonly host: OptionSpec<string>;
  readonly "no-token": OptionSpec<boolean>;
  readonly "let-anyone-in": OptionSpec<boolean>;
  readonly "no-open": OptionSpec<boolean>;
  readonly args: OptionSpec<readonly string[]>;
} = {
  notebook: operand("FILE", "Notebook: an Observable Notebook 2 HTML file."),
  port: number(
    { integer: true, min: 0, max: 65535 },
    undefined,
    "Port to listen on; 0 takes a free one.",
    "4802, or a free one",
  ),
  host: text("ADDRESS", "127.0.0.1", "Address to listen on."),
  "no-token": flag(
    "Let in everybody on this machine without a token. Other web pages and other machines stay out.",
  ),
  "let-anyone-in": flag("With --no-token and a --host that others reach: yes, they may all run code here."),
  "no-open": flag("Do not open a browser."),
  args: restArguments("What the notebook reads as `args`: `-- --k 20` gives `{ k: 20 }`."),
};
