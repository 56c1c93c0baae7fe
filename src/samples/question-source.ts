import { fileURLToPath } from "node:url";

/** The question sets that come with this package. */
export const BUILT_IN_QUESTIONS = ["arithmetic", "word-problems", "general"] as const;

/**
 * The file that a question source stands for: a built-in set by its name, else the path itself.
 * @param source e.g. `arithmetic`, or `./my-questions.jsonl`
 */
export function locateQuestions(source: string): { readonly path: string; readonly builtIn: boolean } {
  const builtIn = (BUILT_IN_QUESTIONS as readonly string[]).includes(source);
  return builtIn
    ? { path: fileURLToPath(new URL(`../../questions/${source}.jsonl`, import.meta.url)), builtIn }
    : { path: source, builtIn };
}
