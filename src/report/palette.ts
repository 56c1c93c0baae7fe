/** Colours by name. Text on `paper` and `panel` has a contrast of at least 4.5, lines of charts of at least 3. */
type Colours = Readonly<Record<(typeof NAMES)[number], string>>;

const NAMES = [
  "paper",
  "ink",
  "quiet",
  "rule",
  "panel",
  "warn",
  "warn-ink",
  "series-1",
  "series-2",
  "series-3",
  "series-4",
  "right",
  "wrong",
] as const;

const LIGHT: Colours = {
  paper: "#fcfcfa",
  ink: "#1c1d20",
  quiet: "#5c6068",
  rule: "#c9ccd1",
  panel: "#f1f2ef",
  warn: "#fff3d6",
  "warn-ink": "#5f4300",
  "series-1": "#0067a3",
  "series-2": "#c04f00",
  "series-3": "#00795a",
  "series-4": "#9c3d78",
  right: "#00684c",
  wrong: "#a63a00",
};

const DARK: Colours = {
  paper: "#16181c",
  ink: "#e9eaec",
  quiet: "#a3a8b1",
  rule: "#444952",
  panel: "#1f2228",
  warn: "#3a2f14",
  "warn-ink": "#f3dca4",
  "series-1": "#64b9ee",
  "series-2": "#f59a5d",
  "series-3": "#4fcfa5",
  "series-4": "#e39ac6",
  right: "#62d3ab",
  wrong: "#f59a5d",
};

/** Of files that stand alone: the light colours on white, with reference lines that a printer still shows. */
const PRINT: Colours = { ...LIGHT, paper: "#ffffff", rule: "#a5a9b0" };

const declare = (colours: Colours): string => NAMES.map((name) => `--${name}: ${colours[name]};`).join(" ");

/** The colours of pages and their charts, as variables that follow the reader's system. */
export const PALETTE: string = `:root { color-scheme: light dark; ${declare(LIGHT)} }
@media (prefers-color-scheme: dark) { :root { ${declare(DARK)} } }`;

/**
 * A colour of a page as one that needs no page: `var(--series-1)` and `currentColor` become what they are in print.
 * @throws RangeError for a variable that is not of the palette
 */
export function printColour(value: string): string {
  if (value === "currentColor") return PRINT.ink;
  const variable = /^var\(--(.*)\)$/.exec(value)?.[1];
  if (variable === undefined) return value;
  const name = NAMES.find((each) => each === variable);
  if (name === undefined) throw new RangeError(`The palette has no colour --${variable}.`);
  return PRINT[name];
}
