/**
 * A mathematical answer in one plain spelling: LaTeX commands that only shape the page are gone, fractions are
 * `a/b` or `(a)/(b)`, `x = 3` is `3`, letters are lower case, words are one space apart. What it does not know
 * it leaves as it is.
 */
export function normalizeMath(text: string): string {
  let plain = spellOutSmallDigits(text)
    .normalize("NFKC")
    .replaceAll("\u2212", "-")
    .replaceAll("\u2044", "/")
    .trim();
  for (const [pattern, replacement] of REWRITES) plain = plain.replace(pattern, replacement);
  plain = replaceFractions(plain);
  plain = plain.replace(/[{}]/g, (brace, at: number) => (plain[at - 1] === "\\" ? brace : " "));
  plain = plain
    .replace(/\s+/g, " ")
    .replace(/ ?\^ ?/g, "^")
    .trim();
  plain = plain.replace(/^[a-z]\w{0,2}(?:\([a-z]\))? ?= ?(?=[^=]+$)/i, "");
  return plain
    .replace(/^\+ ?(?=[\d.])/, "")
    .replace(/(?<!\.)\.$/, "")
    .trim()
    .toLowerCase();
}

/** Before NFKC, which would make 10² into 102 and 1½ into 11/2. */
function spellOutSmallDigits(text: string): string {
  return text
    .replace(/[\u00b2\u00b3\u00b9\u2070\u2074-\u2079\u207b]+/g, (digits) => `^{${digits}}`)
    .replace(/(?<=\d)(?=[\u00bc-\u00be\u2150-\u215e])/g, " ");
}

/** In this order. Each pattern takes time linear in the text. */
const REWRITES: readonly (readonly [RegExp, string])[] = [
  [/\\(?:boxed|fbox)(?=\s?\{)/g, ""],
  [/\\\$|\$|\\[()[\]]/g, ""],
  [/\\(?:left|right|[bB]ig+[lr]?|displaystyle|textstyle|limits)(?![a-z])/g, ""],
  [/\\(?:[!,;:]|q?quad(?![a-z]))|\\ |~/g, " "],
  [/\\[dtc]frac(?![a-z])/g, "\\frac"],
  // A unit in \text{} stands apart from its number.
  [/\\(?:text|textbf|textit|textrm|mathrm|mathbf|mbox|operatorname)\s?(?=\{)/g, " "],
  [/\\%/g, "%"],
  [/\^\s?\{?\s?\\circ\s?\}?|°|\\degree/g, ""],
  [/\{,\}/g, ","],
  [/\^\s?\{\s?(-?\w+)\s?\}/g, "^$1"],
  [/\\(?:times|cdot)(?![a-z])|[×·∙]/g, "*"],
  [/\\div(?![a-z])|÷/g, "/"],
  [/\\(?:le|leq)(?![a-z])|≤/g, "<="],
  [/\\(?:ge|geq)(?![a-z])|≥/g, ">="],
  [/\\(?:ne|neq)(?![a-z])|≠/g, "!="],
  [/\\pi(?![a-z])|π/g, "pi"],
  [/√/g, "\\sqrt"],
  [/\\infty(?![a-z])|∞/g, "infinity"],
  [/[€£]/g, ""],
];

/** `\frac{a}{b}`, `\frac12`, `\frac{a}b`: a/b where both are plain numbers or names, else (a)/(b). */
function replaceFractions(text: string): string {
  let rest = text;
  let done = "";
  for (let depth = 0; depth < MAX_FRACTIONS; depth++) {
    const at = rest.indexOf("\\frac");
    if (at === -1) return done + rest;
    const top = readArgument(rest, at + "\\frac".length);
    const bottom = top === null ? null : readArgument(rest, top.end);
    if (top === null || bottom === null) return done + rest;
    // A digit before it makes a mixed number, 1\frac{1}{2}.
    const gap = /\d\s*$/.test(rest.slice(0, at)) ? " " : "";
    done += rest.slice(0, at) + gap;
    rest = `${grouped(top.content)}/${grouped(bottom.content)}${rest.slice(bottom.end)}`;
  }
  return done + rest;
}

/** More than any answer has; bounds the time for nested fractions. */
const MAX_FRACTIONS = 100;

function readArgument(text: string, from: number): { readonly content: string; readonly end: number } | null {
  let at = from;
  while (text[at] === " ") at++;
  if (text[at] !== "{") return at < text.length ? { content: text[at] as string, end: at + 1 } : null;
  let depth = 0;
  for (let i = at; i < text.length; i++) {
    if (text[i] === "{") depth++;
    else if (text[i] === "}") depth--;
    if (depth === 0) return { content: text.slice(at + 1, i).trim(), end: i + 1 };
  }
  return null;
}

const grouped = (content: string): string => (/^-?[\w.,]+$/.test(content) ? content : `(${content})`);
