import type { EditorView } from "@codemirror/view";
import { tidySource } from "../format/indentation.ts";
import type { CellSource, CellState, ControlValue, Output } from "../wire.ts";
import { drawCellMenu, type MenuAction } from "./cell-menu.ts";
import { drawStatus } from "./cell-status-line.ts";
import { createEditor, markLine, setText } from "./code-editor.ts";
import { element, icon } from "./element.ts";
import { createOutputList } from "./output-list.ts";
import { createProgress } from "./progress-view.ts";

/** What a cell asks of the page. */
export interface CellActions {
  readonly isApp: boolean;
  run(id: number, moves: boolean): void;
  save(): void;
  typed(id: number): void;
  select(id: number): void;
  leave(id: number): void;
  step(id: number, direction: -1 | 1): void;
  menu(id: number, action: MenuAction): void;
  setControl(key: string, value: ControlValue): void;
  names(id: number): readonly string[];
  goTo(id: number): void;
}

/** A cell on the page, with the text that is typed into it. */
export interface CellView {
  readonly node: HTMLElement;
  readonly source: CellSource;
  readonly state: CellState;
  /** What is in the editor. */
  readonly text: string;
  /** What that text began from. */
  readonly baseRevision: string;
  readonly isDirty: boolean;
  /** Somebody else changed the cell while this text was typed. */
  readonly hasConflict: boolean;
  /** Takes over the cell as the server has it. Typed text stays. */
  takeSource(source: CellSource): void;
  /** The server has this text now, as this revision. */
  saved(text: string, revision: string): void;
  takeDraft(text: string, base: string): void;
  takeState(state: CellState): void;
  replaceOutputs(from: number, outputs: readonly Output[]): void;
  showControl(key: string, value: ControlValue): void;
  focusEditor(at?: "start" | "end"): void;
  /** Marks the cell for the keyboard. */
  setSelected(isSelected: boolean): void;
  toggleCode(isHidden?: boolean): void;
  /** Makes the editor now; until then a plain text stands in its place. */
  prepare(): void;
}

export function createCellView(first: CellSource, firstState: CellState, actions: CellActions): CellView {
  let source = first;
  let state = firstState;
  let text = first.source;
  /** What the typed text began from. */
  let base = { source: first.source, revision: first.revision };
  let editor: EditorView | null = null;
  let isEditing = false;
  const { id } = first;
  const isText = first.kind === "markdown" || first.kind === "html";

  const outputs = createOutputList(actions.setControl);
  const progress = createProgress();
  const error = element("div", { class: "error", role: "alert", hidden: true });
  const notice = element("p", { class: "notice", hidden: true });
  const conflict = element("div", { class: "conflict", role: "alert", hidden: true });
  const preview = element("pre", { class: "code-preview" }, text);
  const code = element("div", { class: "code" }, preview);
  const foldLine = element("button", { type: "button", class: "fold-line", "aria-expanded": false, onclick: () => view.toggleCode(false) });
  const status = element("div", { class: "status" });
  const run = element("button", { type: "button", class: "run", "aria-label": "Run cell", title: "Run (Shift-Enter)", onclick: () => actions.run(id, false) }, icon("M5 3.5v9l7.5-4.5z"));
  const gutter = element("div", { class: "gutter" }, isText ? null : run, status);
  const node = element(
    "section",
    { class: `cell ${isText ? "is-text" : "is-code"}`, "data-id": id, tabindex: -1, "aria-label": `Cell ${id}`, onfocusin: () => actions.select(id), onpointerdown: () => actions.select(id), ondblclick: () => openText() },
    actions.isApp ? null : gutter,
    element("div", { class: "body" }, outputs.node, progress.node, error, notice, conflict, ...(actions.isApp ? [] : [isText ? null : foldLine, code])),
    actions.isApp ? null : drawCellMenu(first, (action) => actions.menu(id, action)),
  );

  function openText(): void {
    if (!isText || actions.isApp || isEditing) return;
    view.focusEditor();
  }
  function setEditing(next: boolean): void {
    isEditing = next;
    node.classList.toggle("editing", next);
  }
  const isDirty = (): boolean => tidySource(text) !== base.source;
  const hasConflict = (): boolean => isDirty() && base.revision !== source.revision && tidySource(text) !== source.source;

  function refresh(): void {
    node.dataset.status = state.status;
    node.classList.toggle("dirty", isDirty());
    node.classList.toggle("disabled", source.disabled);
    foldLine.textContent = text.split("\n").find((line) => line.trim() !== "") ?? "empty";
    node.classList.toggle("empty", outputs.isEmpty);
    drawStatus(status, state, isText);
    const shown = state.error ?? (source.problem === null ? null : { ...source.problem, stack: null });
    drawError(shown);
    const calm = state.status === "waiting" || (state.status === "stale" && state.message !== null);
    notice.hidden = !calm && state.status !== "blocked";
    notice.textContent = state.message ?? "";
    notice.classList.toggle("calm", calm || state.isCalm);
    conflict.hidden = !hasConflict();
    if (editor !== null) markLine(editor, shown?.line ?? null);
  }
  function drawError(shown: CellState["error"]): void {
    error.hidden = shown === null;
    if (shown === null) return;
    const place = shown.line === null ? "" : `line ${shown.line}: `;
    const stack = shown.stack === null || shown.stack.split("\n").length < 2 ? null : element("details", {}, element("summary", {}, "Where it came from"), element("pre", {}, shown.stack));
    error.replaceChildren(element("strong", {}, `${place}${shown.message}`), stack ?? "");
  }
  conflict.append(
    element("span", {}, "This cell was changed elsewhere while you typed."),
    element("button", { type: "button", onclick: () => { base = { source: source.source, revision: source.revision }; refresh(); actions.typed(id); } }, "Keep mine"),
    element("button", { type: "button", onclick: () => { base = { source: source.source, revision: source.revision }; putText(source.source); refresh(); actions.typed(id); } }, "Take theirs"),
  );
  function putText(next: string): void {
    text = next;
    preview.textContent = next;
    if (editor !== null) setText(editor, next);
  }

  const view: CellView = {
    node,
    get source() {
      return source;
    },
    get state() {
      return state;
    },
    get text() {
      return text;
    },
    get baseRevision() {
      return base.revision;
    },
    get isDirty() {
      return isDirty();
    },
    get hasConflict() {
      return hasConflict();
    },
    takeSource(next) {
      const wasDirty = isDirty();
      source = next;
      if (!wasDirty || tidySource(text) === next.source) {
        base = { source: next.source, revision: next.revision };
        if (tidySource(text) !== next.source) putText(next.source);
      }
      refresh();
    },
    saved(sent, revision) {
      base = { source: tidySource(sent), revision };
      refresh();
    },
    takeDraft(draft, from) {
      // a draft of what is there now is typed text; of something older it is a conflict
      base = { source: base.source, revision: from };
      putText(draft);
      if (isText) setEditing(true);
      refresh();
    },
    takeState(next) {
      state = next;
      progress.show(next.progress);
      refresh();
    },
    replaceOutputs(from, added) {
      outputs.replace(from, added);
      refresh();
    },
    showControl: outputs.showControl,
    prepare() {
      if (editor !== null || actions.isApp) return;
      preview.remove();
      editor = createEditor(code, text, source.kind, {
        changed(next) {
          text = next;
          refresh();
          actions.typed(id);
        },
        run: (moves) => actions.run(id, moves),
        save: actions.save,
        leave: () => actions.leave(id),
        step: (direction) => actions.step(id, direction),
        names: () => actions.names(id),
      });
      refresh();
    },
    focusEditor(at) {
      if (isText) setEditing(true);
      view.toggleCode(false);
      view.prepare();
      editor?.focus();
      if (at !== undefined) editor?.dispatch({ selection: { anchor: at === "start" ? 0 : (editor.state.doc.length ?? 0) } });
    },
    setSelected(isSelected) {
      node.classList.toggle("selected", isSelected);
      if (!isSelected && isText && !isDirty()) setEditing(false);
    },
    toggleCode(isHidden = !node.classList.contains("folded")) {
      node.classList.toggle("folded", isHidden);
      foldLine.setAttribute("aria-expanded", String(!isHidden));
    },
  };
  if (!isText) view.toggleCode(!first.pinned && first.source !== "");
  refresh();
  return view;
}
