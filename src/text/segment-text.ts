/**
 * The words by which a question is compared with others. Unicode form, case, white space and the punctuation of prose
 * make no difference; what carries mathematical meaning does. `3-4`, `3+4`, `3/4`, `3.4`, `3*4`, `3%` and `3!`
 * all differ; `3 × 4` is `3*4`, `x²` is `x^2`. In scripts without spaces each character is a word.
 * @returns words in order; of a text that is all punctuation, its characters
 */
export function questionWords(text: string): string[] {
  const spelled = foldCase(
    spellMathematics(text)
      .normalize("NFKC")
      .replace(/\p{Default_Ignorable_Code_Point}/gu, ""),
  );
  const plain = plainSymbols(spelled);
  const words = dropProsePunctuation(plain).match(WORD) ?? [];
  return words.length > 0 ? words : [...plain.replace(/\s/gu, "")];
}

/** Equal for questions in the same words. */
export const normalizeQuestion = (text: string): string => questionWords(text).join(" ");

/** Compatibility normalisation would read `x²` as `x2` and `3½` as `31⁄2`. */
function spellMathematics(text: string): string {
  return text
    .replace(/[\u00b2\u00b3\u00b9\u2070\u2071\u2074-\u207f]+/g, (raised) => `^${raised}`)
    .replace(/[\u2080-\u209c]+/g, (lowered) => `_${lowered}`)
    .replace(/[\u00bc-\u00be\u2150-\u215f\u2189]/g, (fraction) => ` ${fraction.normalize("NFKC")} `);
}

/** Lower case alone leaves `ß` and `SS`, and the two lower forms of sigma, apart. */
const foldCase = (text: string): string =>
  text.toLowerCase().toUpperCase().toLowerCase().replaceAll("ς", "σ");

/** The spellings of one operator. */
const plainSymbols = (text: string): string =>
  text
    .replace(/[\u2010-\u2013\u2212]/g, "-")
    .replace(/(?<=\s)-{2,3}(?=\s)|(?<=\p{L}{2})-{2,3}(?=\p{L}{2})/gu, "\u2014") // a dash as on a typewriter
    .replace(/[\u00d7\u00b7\u22c5\u2217\u2219]/g, "*")
    .replace(/[\u00f7\u2044\u2215]/g, "/")
    .replace(/[\u2018\u2019\u02bc\u2032]/g, "'");

/** Keeps punctuation that carries meaning: brackets, operators, currencies, marks within numbers. */
function dropProsePunctuation(text: string): string {
  return text.replace(PROSE_PUNCTUATION, (mark, at: number) => {
    const before = text.slice(Math.max(0, at - 2), at);
    const after = text.slice(at + mark.length, at + mark.length + 2);
    if (belongsToFormula(mark, before, after)) return mark;
    const isApostrophe = mark === "'" && /[\p{L}\p{M}]$/u.test(before) && /^[\p{L}\p{M}]/u.test(after);
    return isApostrophe ? "" : " ";
  });
}

function belongsToFormula(mark: string, before: string, after: string): boolean {
  const followsNumber = /[\p{N})\]}]$/u.test(before);
  const followsSymbol = /(?:^|[^\p{L}\p{M}\p{N}'"])[\p{L}\p{N}]$/u.test(before);
  const precedesNumber = /^\p{N}/u.test(after);
  switch (mark) {
    case "-": // 3-4, x - y, -5, x-y; a hyphen joins letters, one side more than one
      return !/^(?:[\p{L}\p{M}]{2}-[\p{L}\p{M}]|.?[\p{L}\p{M}]-[\p{L}\p{M}]{2})/u.test(`${before}-${after}`);
    case "!": // a factorial, n! or 5!
      return followsNumber || followsSymbol;
    case "'": // a derivative, f'(x)
      return followsSymbol && !/^[\p{L}\p{M}]/u.test(after);
    case ".": // 3.4, .5
      return precedesNumber && !/[\p{L}\p{M}]$/u.test(before);
    default: // 1,000, 12:30
      return /[,:]/.test(mark) && followsNumber && precedesNumber;
  }
}

const PROSE_PUNCTUATION =
  /[-.,:;!?'"`\u00a1\u00ab\u00bb\u00bf\u2014\u2015\u201a-\u201f\u2020-\u2027\u2039\u203a\u3001\u3002\u3008-\u3011\u301c-\u301f\u30fb\u060c\u061b\u061f\u0964\u0965]/g;

/** Numbers with the marks inside them; letters; characters of scripts without spaces; every symbol by itself. */
const WORD =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]\p{M}*|\.?\p{N}+(?:[.,:]\p{N}+)*|(?:(?!\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Thai}|\p{Script=Lao}|\p{Script=Khmer}|\p{Script=Myanmar})[\p{L}\p{M}])+|[^\s\p{L}\p{M}\p{N}]/gu;
