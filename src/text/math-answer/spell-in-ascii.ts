/**
 * The same answer with the marks of Unicode as LaTeX or ASCII spells them: `x²` as `x^{2}`, `½` as `\frac{1}{2}`,
 * `≤` as `<=`, `π` as `\pi`. Letters of other scripts stay.
 */
export function spellInAscii(text: string): string {
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
