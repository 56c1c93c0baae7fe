import type { ManifestWarning } from "../store/manifest.ts";

/**
 * Joins warnings of one code whose messages differ in a few words, such as the name of a score: the first message, and what the
 * others say in place of those words. Repeated messages are dropped.
 * @returns in the order of each group's first warning
 */
export function groupWarnings(warnings: readonly ManifestWarning[]): ManifestWarning[] {
  const groups: { readonly code: string; messages: readonly string[] }[] = [];
  for (const { code, message } of warnings) {
    const alike = groups.filter((group) => group.code === code);
    if (alike.some(({ messages }) => messages.includes(message))) continue;
    const own = alike.find(({ messages }) => findDifferences([...messages, message]) !== null);
    if (own === undefined) groups.push({ code, messages: [message] });
    else own.messages = [...own.messages, message];
  }
  return groups.map(({ code, messages }) => {
    const [, ...others] = findDifferences(messages) ?? [];
    const likewise = others.length === 0 ? "" : ` Likewise: ${others.join("; ")}.`;
    return { code, message: `${messages[0]}${likewise}` };
  });
}

/**
 * The words of each message that stand between those with which all of them begin and end.
 * @returns null if the messages have less than half of their words in common, end otherwise, or one has no word of its own
 */
function findDifferences(messages: readonly string[]): string[] | null {
  const texts = messages.map((message) => message.split(" "));
  const shortest = Math.min(...texts.map(({ length }) => length));
  const isShared = (wordOf: (words: readonly string[]) => string | undefined): boolean =>
    texts.every((words) => wordOf(words) === wordOf(texts[0]!));
  let before = 0;
  while (before < shortest && isShared((words) => words[before])) before += 1;
  let after = 0;
  while (before + after < shortest && isShared((words) => words.at(-1 - after))) after += 1;
  if (after === 0 || before + after < shortest / 2) return null;
  const own = texts.map((words) => {
    const end = words.length - after;
    // a word alone is half a name, "SE" of "the SE probe", unless a colon ends it
    const isHalf = end === before + 1 && !words[before]?.endsWith(":");
    return words
      .slice(before, isHalf ? end + 1 : end)
      .join(" ")
      .replace(/[:;,.]$/, "");
  });
  return texts.some(({ length }) => length === before + after) ? null : own;
}
