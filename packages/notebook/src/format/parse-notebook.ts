import { fingerprint, SepError } from "semantic-entropy-probes/files";
import {
  CELL_TYPES,
  type CellKind,
  type NotebookCell,
  type NotebookFile,
  tidySource,
} from "./notebook-file.ts";
import { scanTags, type Tag } from "./scan-tags.ts";

/**
 * Reads an Observable Notebook 2 file: HTML with one script element per cell inside a notebook element.
 * @param path only for the message
 * @throws SepError `bad-notebook` if there is no notebook element, or a cell's element is not closed
 * @see https://observablehq.com/notebook-kit/kit
 */
export function parseNotebook(text: string, path = "The file"): NotebookFile {
  const tags = scanTags(text);
  const open = tags.find(({ name, isEnd }) => name === "notebook" && !isEnd);
  if (open === undefined) {
    throw new SepError(
      "bad-notebook",
      `${path} has no <notebook> element, expected an Observable Notebook 2 HTML file. \`sep edit --new FILE\` creates one.`,
    );
  }
  const close = tags.find(({ name, isEnd, start }) => name === "notebook" && isEnd && start > open.start);
  const contentEnd = close?.start ?? text.length;
  const inside = tags.filter(({ start }) => start >= open.end && start < contentEnd);
  return { text, title: readTitle(text, inside), cells: readCells(text, inside, path), contentEnd };
}

function readTitle(text: string, tags: readonly Tag[]): string {
  const at = tags.findIndex(({ name, isEnd }) => name === "title" && !isEnd);
  const open = tags[at];
  const close = tags[at + 1];
  if (open === undefined || close === undefined) return "Untitled";
  return decodeEntities(text.slice(open.end, close.start)).trim() || "Untitled";
}

function readCells(text: string, tags: readonly Tag[], path: string): NotebookCell[] {
  const cells: NotebookCell[] = [];
  const taken = new Set<number>();
  let largest = tags.reduce(
    (most, { attributes }) => Math.max(most, Math.floor(Number(attributes.get("id"))) || 0),
    0,
  );
  for (const [at, open] of tags.entries()) {
    if (open.name !== "script" || open.isEnd) continue;
    const close = tags[at + 1];
    if (close === undefined || close.name !== "script") {
      throw new SepError(
        "bad-notebook",
        `${path}: the cell on line ${lineOf(text, open.start)} has no </script>. Close it, or remove the line.`,
      );
    }
    let id = Math.floor(Number(open.attributes.get("id")));
    const hasOwnId = Number.isSafeInteger(id) && id > 0 && !taken.has(id);
    if (!hasOwnId) id = largest + 1;
    largest = Math.max(largest, id);
    taken.add(id);
    const type = (open.attributes.get("type") ?? "module").toLowerCase();
    cells.push({
      id,
      hasOwnId,
      type,
      kind: kindOf(type),
      source: tidySource(decodeSource(text.slice(open.end, close.start))),
      pinned: open.attributes.has("pinned"),
      disabled: open.attributes.has("disabled"),
      span: { start: open.start, contentStart: open.end, contentEnd: close.start, end: close.end },
    });
  }
  return cells;
}

function kindOf(type: string): CellKind {
  const known = Object.entries(CELL_TYPES).find(([, name]) => name === type);
  return (known?.[0] as CellKind | undefined) ?? "unsupported";
}

/** In a file `</script` inside a cell reads `<\/script`, with one backslash more for each that was there. */
export const decodeSource = (content: string): string => content.replace(/<\\(?=\\*\/script(\s|>))/gi, "<");

/** The same the other way round. */
export const encodeSource = (source: string): string => source.replace(/<(?=\\*\/script(\s|>))/gi, "<\\");

const lineOf = (text: string, at: number): number => text.slice(0, at).split("\n").length;

const decodeEntities = (text: string): string =>
  text.replace(/&(amp|lt|gt|quot|#39);/g, (_whole, name: string) => ENTITIES[name] as string);

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'" };

/** A short hash of a cell's content: an edit that was made from another revision is refused. */
export function cellRevision({
  source,
  type,
  disabled,
}: Pick<NotebookCell, "source" | "type" | "disabled">): string {
  return fingerprint(JSON.stringify([type, disabled, source])).slice(0, 12);
}
