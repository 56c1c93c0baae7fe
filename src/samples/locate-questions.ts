import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { fetchDataset, type HubSplit } from "../checkpoint/hub/fetch-dataset.ts";
import { type HubOptions, openHub } from "../checkpoint/hub/hub.ts";
import { type OpeningEvent, reportPull } from "../checkpoint/opening-event.ts";
import { SepError } from "../errors.ts";

/** Files with the questions of one set. */
export interface QuestionSource {
  /** What records call it: the name of a built-in set, of a file without its folder, or of a split on the hub. */
  readonly name: string;
  /** In the order of their rows. */
  readonly paths: readonly string[];
  /** Where it comes from, if from the Hugging Face Hub. */
  readonly hub: (HubSplit & { readonly commit: string }) | null;
}

/** The question sets that come with this package. */
export const BUILT_IN_QUESTIONS = ["arithmetic", "word-problems", "general"] as const;

/** Data sets of the Hugging Face Hub by the names that this package gives them, with the split that the papers ask. */
const NAMED_SPLITS: Readonly<Record<string, HubSplit>> = {
  "trivia-qa": { repo: "mandarjoshi/trivia_qa", config: "rc.nocontext", split: "validation" },
  squad: { repo: "rajpurkar/squad", config: "plain_text", split: "validation" },
  "squad-2": { repo: "rajpurkar/squad_v2", config: "squad_v2", split: "validation" },
  "nq-open": { repo: "google-research-datasets/nq_open", config: "nq_open", split: "validation" },
  "truthful-qa": { repo: "truthfulqa/truthful_qa", config: "generation", split: "validation" },
  "math-500": { repo: "HuggingFaceH4/MATH-500", config: "default", split: "test" },
  gsm8k: { repo: "openai/gsm8k", config: "main", split: "test" },
};

/** Names of data sets that are downloaded. */
export const HUB_QUESTIONS: readonly string[] = Object.keys(NAMED_SPLITS);

export interface LocateQuestionsOptions {
  /** Where and how to look for data sets; by default from the environment variables. */
  readonly hub?: HubOptions | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The files that a question source stands for. A split of a data set on the hub is downloaded unless the cache has it.
 * @param source `arithmetic`; `trivia-qa` or `trivia-qa:train`; `datasets/ORG/NAME/CONFIG/SPLIT` for any other data set in one
 *   of the formats of docs/questions.md; either with `@COMMIT`; or the path of a file
 * @throws SepError `bad-option` for BioASQ, which cannot be downloaded, and as `fetchDataset`
 */
export async function* locateQuestions(
  source: string,
  { hub, signal }: LocateQuestionsOptions = {},
): AsyncGenerator<OpeningEvent, QuestionSource> {
  const wanted = parseSplit(source);
  if (wanted === null) return locateFile(source);
  const { repo, config, split } = wanted;
  const name = `${repo}/${config}/${split}`;
  const { commit, paths } = yield* reportPull(name, fetchDataset(await openHub(hub), wanted, { signal }));
  return { name, paths, hub: { repo, config, split, commit } };
}

/** A built-in set by its name, else a file by its path. */
export function locateFile(source: string): QuestionSource {
  const isBuiltIn = (BUILT_IN_QUESTIONS as readonly string[]).includes(source);
  if (!isBuiltIn) return { name: basename(source), paths: [source], hub: null };
  const path = fileURLToPath(new URL(`../../questions/${source}.jsonl`, import.meta.url));
  return { name: source, paths: [path], hub: null };
}

/** @returns null for what is not a data set of the hub */
function parseSplit(source: string): HubSplit | null {
  if (/^bioasq(?::\w+)?$/.test(source))
    throw new SepError(
      "bad-option",
      `Got ${source}, but BioASQ is given to registered users only. Download its training file from https://participants-area.bioasq.org, and give its path.`,
    );
  const [, name = "", split, ownRevision] = /^([\w-]+)(?::([\w.-]+))?(?:@(\w+))?$/.exec(source) ?? [];
  const named = NAMED_SPLITS[name];
  if (named !== undefined) return { ...named, split: split ?? named.split, revision: ownRevision };
  const [, repo, config, part, revision] =
    /^datasets\/([\w.-]+\/[\w.-]+)\/([\w.-]+)\/([\w.-]+)(?:@(\w+))?$/.exec(source) ?? [];
  if (repo === undefined || config === undefined || part === undefined) return null;
  return { repo, config, split: part, revision };
}
