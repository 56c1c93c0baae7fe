import { isUtf8 } from "node:buffer";
import { type FSWatcher, watch } from "node:fs";
import { readFile, realpath, stat, writeFile } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { errnoOf, explainFileError, makeFolder, SepError, writeAtomic } from "semantic-entropy-probes/files";
import { createEditHistory, type EditHistory } from "../format/edit-history.ts";
import { findCell } from "../format/edit-notebook.ts";
import { type CellKind, type NotebookFile, tidySource } from "../format/notebook-file.ts";
import { cellRevision, parseNotebook } from "../format/parse-notebook.ts";
import { type AnalyzedNotebook, createAnalyzer } from "./analyze-notebook.ts";

/** A requested change; `base` is the revision of the cell that its author saw. */
export type WantedEdit =
  | { readonly kind: "source"; readonly id: number; readonly source: string; readonly base: string }
  | { readonly kind: "disable"; readonly id: number; readonly disabled: boolean; readonly base: string }
  | { readonly kind: "delete"; readonly id: number; readonly base: string }
  | { readonly kind: "move"; readonly id: number; readonly after: number | null }
  | {
      readonly kind: "add";
      readonly after: number | null;
      readonly cellKind: Exclude<CellKind, "unsupported">;
      readonly source: string;
    }
  /** Restores a deleted cell, as it was and where it was. */
  | { readonly kind: "restore"; readonly id: number };

/** A notebook file that is open: what is in memory is what is on disk. */
export interface NotebookDocument {
  readonly path: string;
  readonly notebook: AnalyzedNotebook;
  /**
   * Makes all changes or none, and saves. Changes on disk are read first.
   * @returns the cells that were changed or added
   * @throws SepError `stale-revision`, `no-such-cell`
   */
  apply(edits: readonly WantedEdit[]): Promise<readonly number[]>;
  /** Reads the file again if somebody else has written it. @returns whether it had changed */
  reload(): Promise<boolean>;
}

/** @throws SepError `missing-input`, `bad-notebook` */
export async function openDocument(path: string): Promise<NotebookDocument> {
  const target = await realpath(path).catch(() => path);
  const analyze = createAnalyzer();
  const history = createEditHistory();
  let notebook = await analyze(parseNotebook(await readNotebook(target), path));
  let last: Promise<unknown> = Promise.resolve();

  /** One change of the file at a time. */
  const inTurn = <Result>(act: () => Promise<Result>): Promise<Result> => {
    const result = last.then(act);
    last = result.catch(() => undefined);
    return result;
  };
  const takeOver = async (): Promise<boolean> => {
    const text = await readNotebook(target);
    if (text === notebook.file.text) return false;
    notebook = await analyze(parseNotebook(text, path));
    history.forgetTexts();
    return true;
  };
  return {
    path: target,
    get notebook() {
      return notebook;
    },
    apply: (edits) =>
      inTurn(async () => {
        await takeOver();
        const { file, changed } = applyEdits(notebook.file, edits, history);
        if (file.text !== notebook.file.text) {
          const next = await analyze(file);
          await writeAtomic(target, file.text, { mode: (await stat(target)).mode & 0o777 });
          notebook = next;
        }
        return changed;
      }),
    reload: () => inTurn(takeOver),
  };
}

function applyEdits(
  before: NotebookFile,
  edits: readonly WantedEdit[],
  history: EditHistory,
): { readonly file: NotebookFile; readonly changed: readonly number[] } {
  let file = before;
  const changed: number[] = [];
  for (const edit of edits) {
    if (edit.kind === "add" || edit.kind === "restore") {
      const known = new Set(file.cells.map(({ id }) => id));
      file = history.edit(file, edit);
      changed.push(...file.cells.flatMap(({ id }) => (known.has(id) ? [] : [id])));
      continue;
    }
    // compared with the file as it was: one batch may change a cell twice
    if (edit.kind !== "move") checkBase(before, edit);
    file = history.edit(file, edit);
    if (edit.kind !== "delete") changed.push(edit.id);
  }
  return { file, changed };
}

function checkBase(file: NotebookFile, edit: Extract<WantedEdit, { readonly base: string }>): void {
  const cell = findCell(file, edit.id);
  const revision = cellRevision(cell);
  // an edit to the text that is there already is not a conflict
  const isThere = edit.kind === "source" && tidySource(edit.source) === cell.source;
  if (edit.base === revision || isThere) return;
  throw new SepError(
    "stale-revision",
    `Cell ${edit.id} has changed: it is at revision ${revision}, and the edit was made from ${edit.base}. Read the cell again and edit its current version.`,
  );
}

async function readNotebook(path: string): Promise<string> {
  let bytes: Buffer;
  try {
    // reading a FIFO waits for a writer
    if ((await stat(path)).isFIFO())
      throw new SepError("bad-path", `${path} is a FIFO, expected a notebook file.`);
    bytes = await readFile(path);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw explainFileError(error, path);
    throw new SepError(
      "missing-input",
      `There is no notebook ${path}. \`sep edit --new ${path}\` creates one.`,
      { cause: error },
    );
  }
  // bytes of another encoding would be lost with the first edit
  if (isUtf8(bytes)) return bytes.toString("utf8");
  throw new SepError("bad-notebook", `${path} is not UTF-8 text. Save it as UTF-8 with your editor first.`);
}

/** Begins a notebook with one cell. An existing file is not changed. */
export async function createNotebook(path: string): Promise<void> {
  const title = basename(path)
    .replace(/\.html?$/i, "")
    .replace(/[-_]+/g, " ");
  await makeFolder(dirname(path));
  try {
    await writeFile(path, STARTER.replace("TITLE", title.replace(/[<&]/g, "")), { flag: "wx" });
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw explainFileError(error, path);
  }
}

const STARTER = `<!doctype html>
<notebook theme="air">
  <title>TITLE</title>
  <script id="1" type="text/x-typescript">
    import { semanticEntropy } from "semantic-entropy-probes";
  </script>
</notebook>
`;

/** Calls back when somebody else has written the file. A file that does not parse as a notebook is ignored until its next change. */
export function watchDocument(document: NotebookDocument, changed: () => void): FSWatcher {
  let timer: NodeJS.Timeout | null = null;
  const reload = (): void => {
    document.reload().then(
      (isNew) => {
        if (isNew) changed();
      },
      // half-written or just being replaced: the next event brings it
      () => undefined,
    );
  };
  return watch(dirname(document.path), (_event, name) => {
    if (name !== basename(document.path)) return;
    if (timer !== null) clearTimeout(timer);
    timer = setTimeout(reload, WATCH_MS);
  });
}

/** Editors write a file in several steps. */
const WATCH_MS = 60;
