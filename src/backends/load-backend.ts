import { basename, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { SepError } from "../errors.ts";
import type { Json } from "../formats/json.ts";
import { type AnswerBackend, TOKEN_ENTROPY_SUPPORTS } from "../samples/answer-backend.ts";
import { NORM_STATES, type StateBackend } from "../states/state-backend.ts";
import { fileExists } from "../store/file-exists.ts";
import { fingerprintFile } from "../store/fingerprint.ts";
import type { Backend, OpenBackend } from "./backend.ts";

/** Whether `--backend` names a file of the user's. */
export const isBackendFile = (name: string): boolean => /\.[cm]?[jt]s$/.test(name);

/**
 * Loads a user's own backend: a module whose default export, or `openBackend`, is an {@link OpenBackend}. What it opens is
 * checked, and its manifests name the file by its hash.
 * @param path of a `.js`, `.mjs` or `.ts` file, from the working directory
 * @throws SepError `bad-backend`, from the module's own function too
 */
export async function loadBackend(path: string): Promise<OpenBackend> {
  const file = resolve(path);
  if (!(await fileExists(file)))
    throw bad(path, "does not exist", "Give the path of a .js, .mjs or .ts file with --backend.");
  if (/ts$/.test(file) && !stripsTypes())
    throw bad(
      path,
      `is TypeScript, which Node ${process.versions.node} does not run`,
      "Use Node 22.18 or newer, or compile the file to .mjs.",
    );
  const open = await importOpen(path, file);
  const sha256 = await fingerprintFile(file);
  return async function* openChecked(model, options) {
    const opened = checkBackend(path, yield* open(model, options));
    const identify = (identity: Json): Json => ({
      backend: opened.name,
      module: basename(file),
      module_sha256: sha256,
      identity,
    });
    const { name, answers, states } = opened;
    return {
      name,
      answers: answers && withIdentity(answers, identify(answers.identity)),
      states: states && withIdentity(states, identify(states.identity)),
      [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
    };
  };
}

/** The same part, which may be of a class, with another identity. */
const withIdentity = <Part extends AnswerBackend | StateBackend>(part: Part, identity: Json): Part =>
  new Proxy(part, {
    get(target, name) {
      if (name === "identity") return identity;
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });

/** A user's backend may be of one kind only. @throws SepError `bad-backend` */
export function requirePart<Part extends "answers" | "states">(
  backend: Backend,
  part: Part,
): NonNullable<Backend[Part]> {
  const found = backend[part];
  if (found !== undefined) return found as NonNullable<Backend[Part]>;
  throw new SepError(
    "bad-backend",
    `The backend ${backend.name} has no ${part}, and this step needs them. Give its object \`${part}\`, as docs/library.md shows, or use another --backend.`,
  );
}

const stripsTypes = (): boolean =>
  Boolean((process.features as { readonly typescript?: string | false }).typescript);

async function importOpen(path: string, file: string): Promise<OpenBackend> {
  let module: Readonly<Record<string, unknown>>;
  try {
    module = (await import(pathToFileURL(file).href)) as Readonly<Record<string, unknown>>;
  } catch (cause) {
    throw bad(path, `cannot be loaded: ${(cause as Error).message}`, "Does `node FILE` run it?", cause);
  }
  const open = module.openBackend ?? module.default;
  if (typeof open === "function") return open as OpenBackend;
  const names = Object.keys(module).join(", ") || "nothing";
  throw bad(
    path,
    `exports ${names}, expected a function as its default or as openBackend`,
    "See docs/library.md, A backend of your own.",
  );
}

/** Names that run records have of the backends here. */
const OWN_NAMES: ReadonlySet<string> = new Set([
  "local",
  "hf",
  "vllm",
  "nnsight",
  "tei",
  "openai",
  "imported",
]);

type Fields = Readonly<Record<string, unknown>>;

/** Checks what a step would stumble over later, by the name of the field. */
function checkBackend(path: string, opened: unknown): Backend {
  const require = (holds: boolean, field: string, expected: string, got: unknown): void => {
    if (holds) return;
    throw bad(
      path,
      `opened a backend whose ${field} is ${describe(got)}, expected ${expected}`,
      "See docs/library.md, A backend of your own.",
    );
  };
  const backend = fieldsOf(opened);
  const { name } = backend;
  require(typeof opened === "object" && opened !== null, "value", "an object", opened);
  const isName = typeof name === "string" && /^[a-z][a-z0-9-]*$/.test(name) && !OWN_NAMES.has(name);
  require(isName, "name", `small letters, digits and dashes, and none of ${[...OWN_NAMES].join(", ")}`, name);
  require(typeof backend[Symbol.asyncDispose as never] ===
    "function", "[Symbol.asyncDispose]", "a function", backend[Symbol.asyncDispose as never]);
  const parts = (["answers", "states"] as const).filter((part) => backend[part] !== undefined);
  require(parts.length > 0, "answers and states", "an object for at least one of them", undefined);
  for (const part of parts) {
    const own = fieldsOf(backend[part]);
    const model = fieldsOf(own.model);
    require(own.name === name, `${part}.name`, `the backend's, ${name}`, own.name);
    for (const field of ["provenance", "config", "tokenizer"])
      require(typeof model[field] === "object" &&
        model[field] !==
          null, `${part}.model.${field}`, "an object, as loadModel or openProfile give it", model[field]);
    require(isJson(own.identity), `${part}.identity`, "JSON of all that decides its outputs", own.identity);
    const opener = part === "answers" ? "openSampler" : "openReader";
    require(typeof own[opener] === "function", `${part}.${opener}`, "an async function*", own[opener]);
    if (part === "answers")
      require(isOneOf(
        TOKEN_ENTROPY_SUPPORTS,
        own.tokenEntropies,
      ), "answers.tokenEntropies", TOKEN_ENTROPY_SUPPORTS.join(" or "), own.tokenEntropies);
    else {
      require(isOneOf(NORM_STATES, own.normState), "states.normState", NORM_STATES.join(
        " or ",
      ), own.normState);
      const metadata = Object.values(fieldsOf(own.metadata));
      require(metadata.length > 0 &&
        metadata.every(
          (value) => typeof value === "string",
        ), "states.metadata", "an object of strings, with model", own.metadata);
    }
  }
  return opened as Backend;
}

const fieldsOf = (value: unknown): Fields =>
  typeof value === "object" && value !== null ? (value as Fields) : {};

const isOneOf = (names: readonly string[], value: unknown): boolean => names.includes(value as string);

const isJson = (value: unknown): boolean =>
  value !== undefined && typeof value !== "function" && JSON.stringify(value) !== undefined;

const describe = (value: unknown): string =>
  typeof value === "object" && value !== null ? "an object" : (JSON.stringify(value) ?? typeof value);

const bad = (path: string, what: string, todo: string, cause?: unknown): SepError =>
  new SepError("bad-backend", `The backend ${path} ${what}. ${todo}`, { cause });
