/** The same words, articles aside, or two of the words for one thing. */
export function sameText(a: string, b: string): boolean {
  const [plainA, plainB] = [plainText(a), plainText(b)];
  if (plainA === "") return a === b && a !== "";
  return plainA === plainB || (SYNONYMS.get(plainA) ?? a) === (SYNONYMS.get(plainB) ?? b);
}

/** Whether the words say that nothing is a solution, which is the empty set. */
export const saysEmpty = (text: string): boolean => SYNONYMS.get(plainText(text)) === "no solution";

/** Whether the words say that every real number is a solution. */
export const saysAll = (text: string): boolean => SYNONYMS.get(plainText(text)) === "all real numbers";

const plainText = (text: string): string =>
  text
    .replace(/\b(?:the|an|a) (?=\S)/g, "")
    .replace(/["'`]/g, "")
    .trim();

const SYNONYMS: ReadonlyMap<string, string> = new Map(
  [
    ["yes", "true", "correct"],
    ["no", "false", "incorrect"],
    ["no solution", "no solutions", "no real solution", "no real solutions", "empty set"],
    ["undefined", "does not exist", "dne", "not defined"],
    ["all real numbers", "all reals"],
  ].flatMap((group) => group.map((text) => [text, group[0] as string] as const)),
);
