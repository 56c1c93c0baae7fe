import { type FSWatcher, watch } from "node:fs";
import { basename, dirname } from "node:path";
import type { NotebookDocument } from "./notebook-document.ts";

/** Calls back when somebody else has written the file. A file that cannot be read as a notebook is left for later. */
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
