import { realpath } from "node:fs/promises";
import { join } from "node:path";
import { canStartWorkers } from "../../engine/runtime/worker-threads-node.ts";
import { findChatTemplate } from "../../engine/tokenizer/chat-template.ts";
import type { TextTokenizer } from "../../engine/tokenizer/text-tokenizer.ts";
import { SepError } from "../../errors.ts";
import { fingerprint } from "../../store/fingerprint.ts";
import { readModelFile } from "../../store/read-file.ts";
import { POCKET_FOLDER } from "../locate-checkpoint.ts";
import { readJsonFile } from "../read-json-file.ts";
import { type OpenedTokenizer, openHere, openInSandbox, type TokenizerFiles } from "./sandboxed-tokenizer.ts";

export interface OpenTokenizerOptions {
  /** Gives up while the tokenizer is opened. */
  readonly signal?: AbortSignal | undefined;
}

/** Of 262,000 tokens and their merges: 33 MB. */
const MOST_TOKENIZER_BYTES = 128 << 20;
/** Lists of thousands of added tokens: 1 MB. */
const MOST_CONFIG_BYTES = 16 << 20;
/** The longest templates, with tools and reasoning, have some 20,000 characters. */
const MOST_TEMPLATE_CHARACTERS = 1 << 20;

/**
 * Loads `tokenizer.json`, `tokenizer_config.json` and the chat template of a checkpoint.
 * @throws SepError `bad-checkpoint`, `bad-tokenizer`, `hostile-model`
 */
export async function loadTextTokenizer(
  directory: string,
  options: OpenTokenizerOptions = {},
): Promise<TextTokenizer> {
  return (await openTokenizer(await readTokenizerFiles(directory), options)).tokenizer;
}

/**
 * Makes a tokenizer of its files: those of the embedded model in this process, all others in one of their own. Sources
 * that Node cannot run in a thread, as in this project's own tests, leave it in this process.
 * @throws SepError `bad-checkpoint`, `bad-tokenizer`, `hostile-model`
 */
export async function openTokenizer(
  files: TokenizerFiles,
  { signal }: OpenTokenizerOptions = {},
): Promise<OpenedTokenizer> {
  const { source = "", path = "" } = files.chatTemplate ?? {};
  if (source.length > MOST_TEMPLATE_CHARACTERS) {
    throw new SepError(
      "hostile-model",
      `${path}: the chat template has ${source.length} characters, at most ${MOST_TEMPLATE_CHARACTERS}. Use a copy of the model from a source that you trust.`,
    );
  }
  if (!canStartWorkers() || (await isOurs(files.path))) return openHere(files);
  return openInSandbox(files, signal);
}

/** In a bundle of these sources the package's own folder is not where it was. */
const isOurs = async (path: string): Promise<boolean> => {
  const [own, asked] = await Promise.all(
    [join(POCKET_FOLDER, "tokenizer.json"), path].map((each) => realpath(each).catch(() => null)),
  );
  return own !== null && own === asked;
};

/** Reads the files that {@link openTokenizer} makes a tokenizer of. */
export async function readTokenizerFiles(directory: string): Promise<TokenizerFiles> {
  const path = join(directory, "tokenizer.json");
  const json = await readModelFile(path, MOST_TOKENIZER_BYTES);
  if (json === null) {
    throw new SepError("bad-checkpoint", `${path} does not exist, which a checkpoint needs.`);
  }
  const configPath = join(directory, "tokenizer_config.json");
  const config = (await readJsonFile(configPath, { optional: true, mostBytes: MOST_CONFIG_BYTES })) ?? {};
  // characters take up to four bytes
  const templatePath = join(directory, "chat_template.jinja");
  const template = (await readModelFile(templatePath, 4 * MOST_TEMPLATE_CHARACTERS))?.toString("utf8");
  const stated = template === undefined ? findChatTemplate(config.chat_template) : null;
  return {
    path,
    sha256: fingerprint(json),
    json,
    config: { ...config, chat_template: null },
    chatTemplate:
      template !== undefined
        ? { path: templatePath, source: template }
        : stated !== null
          ? { path: configPath, source: stated }
          : null,
  };
}
