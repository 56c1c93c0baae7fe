/** A piece of an answer. */
export interface Token {
  readonly kind: "number" | "word" | "command" | "mark";
  /** As it is compared: aliases are one spelling, a command is without its backslash. */
  readonly text: string;
  /** White space, or LaTeX's spacing, stands before it. */
  readonly spaced: boolean;
  /** From `\text{…}` and its like, where letters are words and no product of symbols. */
  readonly upright: boolean;
}

/**
 * Cuts an answer in plain text or LaTeX into tokens. What only shapes the page is left out: `$`, `\left`, `\,`,
 * `\displaystyle`, `\boxed`, the commands that choose a font. Never fails; takes time linear in the text.
 */
export function tokenize(text: string): readonly Token[] {
  const tokens: Token[] = [];
  /** Of each brace that is open: whether it is a font's, and whether what is in it is upright. */
  const braces: { readonly font: boolean; readonly upright: boolean }[] = [];
  let spaced = false;
  let font: "none" | "upright" | "slanted" = "none";
  for (const { 0: raw, groups = {} } of prepare(text).matchAll(TOKEN)) {
    if (groups.gap !== undefined) {
      if (/\s|~|^\\(?:[ ,;:>]|q?quad|thinspace|hspace)/.test(raw)) spaced = true;
      continue;
    }
    if (groups.font !== undefined) {
      font = UPRIGHT.test(raw) ? "upright" : "slanted";
      continue;
    }
    const upright = braces.at(-1)?.upright ?? false;
    if (raw === "{") {
      braces.push({ font: font !== "none", upright: upright || font === "upright" });
      if (font !== "none") {
        font = "none";
        continue;
      }
    } else if (raw === "}" && braces.pop()?.font) {
      continue;
    }
    const token = readToken(raw, groups);
    tokens.push({ ...token, spaced, upright: upright || font === "upright" });
    font = "none";
    spaced = false;
  }
  return tokens;
}

/** Words and signs of an answer that cannot be read as mathematics, in one spelling. */
export function joinTokens(tokens: readonly Token[]): string {
  let joined = "";
  let before: Token | undefined;
  const isWordlike = (token: Token | undefined): boolean =>
    token?.kind === "word" || token?.kind === "number";
  tokens.forEach((token, at) => {
    if (isBraceAroundOne(tokens, at)) return;
    const parts = isWordlike(before) && isWordlike(token) && (token.spaced || before?.kind === token.kind);
    joined += (parts ? " " : "") + (token.kind === "word" ? token.text.toLowerCase() : token.text);
    before = token;
  });
  return joined;
}

/** `x_{1}` is `x_1`. */
const isBraceAroundOne = (tokens: readonly Token[], at: number): boolean =>
  (tokens[at]?.text === "{" && tokens[at + 2]?.text === "}") ||
  (tokens[at]?.text === "}" && tokens[at - 2]?.text === "{");

function prepare(text: string): string {
  const plain = spellInAscii(text)
    .trim()
    .replace(/^(\*\*|[`"'])(.+)\1$/s, "$2")
    .replace(/^(?:US(?=\\?\$)|(?:Rs\.?|USD|EUR|GBP|INR)\s?(?=[$\d]))/, "") // before an amount
    .replace(/(?<=\d)\{,\}(?=\d{3}(?!\d))/g, "")
    .replace(/(?<=\d)\{,\}(?=\d)/g, ".");
  // A text that was escaped once too often; in a matrix two backslashes end a row.
  return plain.includes("\\begin") ? plain : plain.replace(/\\\\(?=[a-zA-Z])/g, "\\");
}

function readToken(
  raw: string,
  groups: { readonly [name: string]: string | undefined },
): Pick<Token, "kind" | "text"> {
  if (groups.repeating !== undefined) {
    const [, before = "", digits = ""] = /^(\d*\.\d*)\D*(\d+)/.exec(raw) ?? [];
    return { kind: "number", text: `${before}r${digits}` };
  }
  if (groups.european !== undefined) {
    return { kind: "number", text: raw.replaceAll(".", "").replace(",", ".") };
  }
  if (groups.number !== undefined) return { kind: "number", text: raw };
  if (groups.letters !== undefined) return { kind: "word", text: raw };
  if (groups.field !== undefined) return { kind: "command", text: `mathbb${groups.field}` };
  if (groups.degree !== undefined) return { kind: "mark", text: "°" };
  if (groups.rowBreak !== undefined) return { kind: "mark", text: "\\\\" };
  if (groups.command !== undefined) {
    return ALIASES.get(groups.command) ?? { kind: "command", text: groups.command };
  }
  return ALIASES.get(raw) ?? { kind: "mark", text: raw };
}

const mark = (text: string): Pick<Token, "kind" | "text"> => ({ kind: "mark", text });
const command = (text: string): Pick<Token, "kind" | "text"> => ({ kind: "command", text });
const word = (text: string): Pick<Token, "kind" | "text"> => ({ kind: "word", text });

const ALIASES: ReadonlyMap<string, Pick<Token, "kind" | "text">> = new Map([
  ...["dfrac", "tfrac", "cfrac"].map((name) => [name, command("frac")] as const),
  ...["dbinom", "tbinom"].map((name) => [name, command("binom")] as const),
  ...["le", "leq", "leqslant"].map((name) => [name, mark("<=")] as const),
  ...["ge", "geq", "geqslant"].map((name) => [name, mark(">=")] as const),
  ...["ne", "neq"].map((name) => [name, mark("!=")] as const),
  ...["approx", "simeq", "~="].map((name) => [name, mark("≈")] as const),
  ...["times", "cdot", "ast"].map((name) => [name, mark("*")] as const),
  ...["vert", "lvert", "rvert", "mid"].map((name) => [name, mark("|")] as const),
  ...["dots", "ldots", "cdots", "..."].map((name) => [name, mark("…")] as const),
  ...["emptyset", "varnothing"].map((name) => [name, command("emptyset")] as const),
  ["lt", mark("<")],
  ["gt", mark(">")],
  ["==", mark("=")],
  [":=", mark("=")],
  ["**", mark("^")],
  ["div", mark("/")],
  ["colon", mark(":")],
  ["prime", mark("'")],
  ["lbrace", mark("\\{")],
  ["rbrace", mark("\\}")],
  ["lbrack", mark("[")],
  ["rbrack", mark("]")],
  ["\\%", mark("%")],
  ["\\&", word("and")],
  ["land", word("and")],
  ["wedge", word("and")],
  ["lor", word("or")],
  ["vee", word("or")],
]);

/** Each alternative takes time linear in what it matches. The last one takes any character. */
const TOKEN = new RegExp(
  [
    /(?<rowBreak>\\\\(?:\[[^\]\n]{0,8}\])?)/,
    /(?<pair><=|>=|\.\.\.|(?<!\d)!=|==|~=|:=|\*\*)/,
    /(?<gap>[\s~$]+|\\[ ,;:!>()[\]]|\\(?:q?quad|(?:left|right|[bB]igg?[lrm]?)(?:(?=[^a-zA-Z.])|\.)|displaystyle|textstyle|limits|thinspace|hspace\*?\{[^{}]{0,12}\})(?![a-zA-Z]))/,
    /\\mathbb\s?\{?\s?(?<field>[CNQRZ])\s?\}?/,
    /(?<font>\\(?:text(?:bf|it|rm|sf|tt|normal|color\{[^{}]{0,12}\})?|math(?:rm|bf|it|sf|tt|cal|frak|bb)|mbox|hbox|operatorname|emph|rm|bf|it|boldsymbol|bm|boxed|fbox|underline|overline|overrightarrow|vec|hat|widehat|bar|tilde|phantom)(?![a-zA-Z])\*?\s*)/,
    /(?<degree>\^\s?\{?\s?\\circ\s?\}?|\\degree(?![a-zA-Z])|°)/,
    /\\(?<command>[a-zA-Z]+)/,
    /(?<escaped>\\[^a-zA-Z\s])/,
    /(?<repeating>\d*\.\d*\s?\\(?:overline|bar|dot)\s?(?:\{\d+\}|\d))/,
    /(?<european>(?<![\d.,])\d{1,3}(?:(?:\.\d{3}){2,}(?![\d.,])|(?:\.\d{3})+,\d+(?![\d.,])))/,
    /(?<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d{1,4}(?![\p{L}\d]))?)/u,
    /(?<letters>[\p{L}\p{M}]+)/u,
    /[\s\S]/,
  ]
    .map(({ source }) => source)
    .join("|"),
  "gu",
);

const UPRIGHT = /^\\(?:text|mathrm|mathsf|mathtt|mbox|hbox|operatorname|emph|rm)/;

/**
 * The same answer with the marks of Unicode as LaTeX or ASCII spells them: `x²` as `x^{2}`, `½` as `\frac{1}{2}`,
 * `≤` as `<=`, `π` as `\pi`. Letters of other scripts stay.
 */
function spellInAscii(text: string): string {
  if (!/[^\x20-\x7e]/.test(text)) return text;
  return text
    .replace(/[⁰¹²³⁴-⁹⁺⁻]+/g, (digits) => `^{${digits.normalize("NFKC").replaceAll("−", "-")}}`)
    .replace(/[₀-₉]+/g, (digits) => `_{${digits.normalize("NFKC")}}`)
    .replace(/[¼-¾⅐-⅞]/g, (fraction) => {
      const [top, bottom] = fraction.normalize("NFKC").split("⁄");
      return `\\frac{${top}}{${bottom}}`;
    })
    .replace(MARKS, (mark) => SPELLINGS.get(mark) as string)
    .normalize("NFKC");
}

const SPELLINGS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    "−": "-",
    "–": "-",
    "⁄": "/",
    "∕": "/",
    "×": "*",
    "·": "*",
    "∙": "*",
    "⋅": "*",
    "÷": "/",
    "±": "\\pm ",
    "∓": "\\mp ",
    "≤": "<=",
    "⩽": "<=",
    "≥": ">=",
    "⩾": ">=",
    "≠": "!=",
    "≈": "\\approx ",
    "∈": "\\in ",
    "∪": "\\cup ",
    "∩": "\\cap ",
    "∖": "\\setminus ",
    "∅": "\\emptyset ",
    "∞": "\\infty ",
    "√": "\\sqrt ",
    "∛": "\\sqrt[3]",
    ℝ: "\\mathbb{R}",
    ℤ: "\\mathbb{Z}",
    "⌊": "\\lfloor ",
    "⌋": "\\rfloor ",
    "⌈": "\\lceil ",
    "⌉": "\\rceil ",
    "⟨": "\\langle ",
    "⟩": "\\rangle ",
    "′": "'",
    "’": "'",
    "“": '"',
    "”": '"',
    π: "\\pi ",
    α: "\\alpha ",
    β: "\\beta ",
    γ: "\\gamma ",
    δ: "\\delta ",
    θ: "\\theta ",
    λ: "\\lambda ",
    μ: "\\mu ",
    σ: "\\sigma ",
    φ: "\\phi ",
    ω: "\\omega ",
    "№": "#",
  }),
);

const MARKS = new RegExp(`[${[...SPELLINGS.keys()].join("")}]`, "gu");
