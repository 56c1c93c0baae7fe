import { BUILTIN_NAMES } from "../cell/cell-code.ts";
import { type CellSource, type CellState, type ControlValue, FRESH_STATE } from "../wire.ts";
import type { CellView } from "./cell-contract.ts";
import { createCellView } from "./cell-view.ts";
import { element } from "./element.ts";
import type { NotebookEdits } from "./notebook-edits.ts";
import type { DraftKeeper } from "./server-connection.ts";

/** What the list of cells needs of the page. */
interface CellListHost {
  isApp(): boolean;
  drafts(): DraftKeeper | null;
  edits(): NotebookEdits;
  setControl(key: string, value: ControlValue): void;
  refresh(): void;
}

/** The cells on the page, in the notebook's order, and which of them the keyboard is at. */
interface CellList {
  readonly node: HTMLElement;
  readonly cells: ReadonlyMap<number, CellView>;
  order(): readonly number[];
  /** null until one is selected. */
  selected(): number | null;
  /** Takes over the cells as the server has them. Typed text stays. @param states of cells that are new here */
  take(sources: readonly CellSource[], states: ReadonlyMap<number, CellState>): void;
  focus(id: number): void;
  /** The same, and scrolls the cell to the middle of the window. */
  goTo(id: number): void;
}

export function createCellList(host: CellListHost): CellList {
  const node = element("main", { "aria-label": "Notebook" });
  const cells = new Map<number, CellView>();
  let order: number[] = [];
  let selected: number | null = null;
  // editors are created shortly before they scroll into view
  const near = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        near.unobserve(target);
        cells.get(Number((target as HTMLElement).dataset.id))?.prepare();
      }
    },
    { rootMargin: "800px" },
  );

  function take(sources: readonly CellSource[], states: ReadonlyMap<number, CellState>): void {
    const kinds = new Map(sources.map(({ id, kind }) => [id, kind]));
    for (const [id, cell] of cells) {
      if (cell.source.kind === kinds.get(id)) continue;
      cell.node.remove();
      cells.delete(id);
    }
    for (const source of sources) {
      const known = cells.get(source.id);
      if (known !== undefined) known.takeSource(source);
      else cells.set(source.id, open(source, states.get(source.id) ?? FRESH_STATE));
    }
    order = sources.map(({ id }) => id);
    for (const [at, id] of order.entries()) {
      const { node: own } = cells.get(id) as CellView;
      if (node.children[at] !== own) node.insertBefore(own, node.children[at] ?? null);
    }
    if (order.length === 0 && !host.isApp()) node.replaceChildren(drawEmpty(host));
    else node.querySelector(".nothing")?.remove();
  }

  function open(source: CellSource, state: CellState): CellView {
    const isApp = host.isApp();
    const cell = createCellView(source, state, {
      isApp,
      run: (id, moves) => void host.edits().run(id, moves),
      save: () => void host.edits().saveAll(),
      typed,
      select,
      leave: (id) => cells.get(id)?.node.focus({ preventScroll: true }),
      step: (id, direction) => {
        const next = order[order.indexOf(id) + direction];
        if (next === undefined) return;
        if (cells.get(next)?.source.kind === "markdown") focus(next);
        else cells.get(next)?.focusEditor(direction === 1 ? "start" : "end");
      },
      menu: (id, action) => void host.edits().menu(id, action),
      setControl: host.setControl,
      names: (own) => [
        ...new Set([
          ...order.flatMap((id) => (id === own ? [] : (cells.get(id)?.source.defines ?? []))),
          ...BUILTIN_NAMES,
        ]),
      ],
      goTo,
    });
    const drafts = host.drafts();
    const draft = drafts?.find(source.id, source.draft) ?? null;
    if (draft !== null && draft.text !== source.source) {
      cell.takeDraft(draft.text, draft.base);
      // the page may have been closed before the server had it
      if (draft !== source.draft) drafts?.keep(source.id, draft);
    }
    if (!isApp) near.observe(cell.node);
    return cell;
  }

  function typed(id: number): void {
    const cell = cells.get(id) as CellView;
    if (cell.isDirty) host.drafts()?.keep(id, { text: cell.text, base: cell.baseRevision, atMs: Date.now() });
    else host.drafts()?.forget(id);
    host.refresh();
  }

  function select(id: number): void {
    if (selected === id) return;
    if (selected !== null) cells.get(selected)?.setSelected(false);
    selected = id;
    cells.get(id)?.setSelected(true);
  }

  function focus(id: number): void {
    const cell = cells.get(id);
    cell?.node.focus({ preventScroll: true });
    cell?.node.scrollIntoView({ block: "nearest" });
  }

  function goTo(id: number): void {
    cells.get(id)?.node.scrollIntoView({ block: "center", behavior: "smooth" });
    cells.get(id)?.node.focus({ preventScroll: true });
  }

  return { node, cells, order: () => order, selected: () => selected, take, focus, goTo };
}

function drawEmpty(host: CellListHost): HTMLElement {
  return element(
    "div",
    { class: "nothing" },
    element(
      "p",
      {},
      "An empty notebook. Code cells read each other's names, and run again when these change.",
    ),
    element(
      "button",
      { type: "button", class: "primary", onclick: () => void host.edits().add(null, "ts") },
      "Add code",
    ),
    element("button", { type: "button", onclick: () => void host.edits().add(null, "markdown") }, "Add text"),
  );
}
