import { basename, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { z } from "zod";
import { SepError } from "../errors.ts";
import type { Json } from "../formats/json.ts";
import type { AnswerBackend } from "../samples/answer-backend.ts";
import { TOKEN_ENTROPY_SUPPORTS } from "../samples/run-record.ts";
import { NORM_STATES, type StateBackend } from "../states/state-backend.ts";
import { hashFile } from "../store/fingerprint.ts";
import { fileExists } from "../store/read-file.ts";
import { showShortly } from "../text/shorten.ts";
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
  const sha256 = await hashFile(file);
  return async function* openChecked(model, options) {
    const opening = open(model, options);
    if (typeof opening?.[Symbol.asyncIterator] !== "function")
      throw bad(path, "exports a function that gives no async generator", "Write it as async function*.");
    const opened = yield* openOwn(path, opening);
    try {
      checkBackend(path, opened);
    } catch (error) {
      await (opened as Partial<Backend> | undefined)?.[Symbol.asyncDispose]?.();
      throw error;
    }
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

/** A user's backend may have only some parts. @throws SepError `bad-backend` */
export function requirePart<Part extends "answers" | "states">(
  backend: Backend,
  part: Part,
): NonNullable<Backend[Part]> {
  const found = backend[part];
  if (found !== undefined) return found as NonNullable<Backend[Part]>;
  throw new SepError(
    "bad-backend",
    `The backend ${backend.name} has no ${part}, which this step needs. Add \`${part}\` to its object, as docs/library.md shows, or use another --backend.`,
  );
}

const stripsTypes = (): boolean =>
  Boolean((process.features as { readonly typescript?: string | false }).typescript);

/** What the module itself throws does not say where it comes from. */
async function* openOwn(path: string, opening: ReturnType<OpenBackend>): ReturnType<OpenBackend> {
  try {
    return yield* opening;
  } catch (cause) {
    if (cause instanceof SepError) throw cause;
    throw bad(path, `did not open: ${describeThrown(cause)}`, "Set SEP_DEBUG=1 for its stack.", cause);
  }
}

/** A module may throw anything. */
const describeThrown = (thrown: unknown): string =>
  (thrown instanceof Error ? thrown.message : `it threw ${showShortly(thrown)}`).replace(/\.$/, "");

async function importOpen(path: string, file: string): Promise<OpenBackend> {
  let module: Readonly<Record<string, unknown>>;
  try {
    module = (await import(pathToFileURL(file).href)) as Readonly<Record<string, unknown>>;
  } catch (cause) {
    throw bad(path, `cannot be loaded: ${describeThrown(cause)}`, "Does `node FILE` run it?", cause);
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

/** Names of the built-in backends in run records. */
const OWN_NAMES: ReadonlySet<string> = new Set([
  "local",
  "hf",
  "vllm",
  "nnsight",
  "tei",
  "openai",
  "imported",
]);

const anObject = (expected: string): z.ZodType =>
  z.custom((value) => typeof value === "object" && value !== null, expected);
const aFunction = z.custom((value) => typeof value === "function", "an async function*");

const PART = {
  name: z.custom((value) => typeof value === "string", "the backend's own"),
  model: z.object(
    {
      provenance: anObject("an object, as of loadModel or openProfile"),
      config: anObject("an object, as of loadModel or openProfile"),
      tokenizer: anObject("an object, as of loadModel or openProfile"),
    },
    "an object, as of loadModel or openProfile",
  ),
  identity: z.json("JSON of all that decides its outputs"),
};

/** Problems that a step would run into later; each message says what is expected. */
const BACKEND = z
  .object(
    {
      name: z.custom(
        (value) => typeof value === "string" && /^[a-z][a-z0-9-]*$/.test(value) && !OWN_NAMES.has(value),
        `small letters, digits and dashes, and none of ${[...OWN_NAMES].join(", ")}`,
      ),
      answers: z
        .object({
          ...PART,
          tokenEntropies: z.enum(TOKEN_ENTROPY_SUPPORTS, TOKEN_ENTROPY_SUPPORTS.join(" or ")),
          openSampler: aFunction,
        })
        .optional(),
      states: z
        .object({
          ...PART,
          normState: z.enum(NORM_STATES, NORM_STATES.join(" or ")),
          metadata: z.record(z.string(), z.string(), "an object of strings"),
          openReader: aFunction,
        })
        .optional(),
    },
    "an object",
  )
  .superRefine(({ name, answers, states }, context) => {
    if (answers === undefined && states === undefined)
      context.addIssue({ code: "custom", path: ["answers"], message: "an object, or one as states" });
    for (const [part, own] of Object.entries({ answers, states }))
      if (own !== undefined && own.name !== name)
        context.addIssue({ code: "custom", path: [part, "name"], message: `the backend's, ${name}` });
  });

function checkBackend(path: string, opened: Backend): void {
  const [issue] = BACKEND.safeParse(opened).error?.issues ?? [];
  if (issue !== undefined) {
    const got = issue.path.reduce<unknown>(
      (value, key) => (value as Record<PropertyKey, unknown>)?.[key],
      opened,
    );
    const field = issue.path.join(".") || "value";
    throw refuseField(path, field, got, issue.message);
  }
  if (typeof opened[Symbol.asyncDispose] !== "function")
    throw refuseField(path, "[Symbol.asyncDispose]", opened[Symbol.asyncDispose], "a function");
}

const refuseField = (path: string, field: string, got: unknown, expected: string): SepError =>
  bad(
    path,
    `opened a backend whose ${field} is ${typeof got === "object" && got !== null ? "an object" : (JSON.stringify(got) ?? typeof got)}, expected ${expected}`,
    "See docs/library.md, A backend of your own.",
  );

const bad = (path: string, what: string, todo: string, cause?: unknown): SepError =>
  new SepError("bad-backend", `The backend ${path} ${what}. ${todo}`, { cause });
