import type { EditorView } from "@codemirror/view";
import { tidySource } from "../format/notebook-file.ts";
import type { CellSource, CellState } from "../wire.ts";
import { type CellActions, type CellView, drawCellMenu } from "./cell-contract.ts";
import { createProgress, drawError, drawStatus } from "./cell-signs.ts";
import { createEditor, markLine, setText } from "./code-editor.ts";
import { element, icon } from "./element.ts";
import { createOutputList } from "./output-list.ts";

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
  const foldLine = element("button", {
    type: "button",
    class: "fold-line",
    "aria-expanded": false,
    onclick: () => view.toggleCode(false),
  });
  const status = element("div", { class: "status" });
  const run = element(
    "button",
    {
      type: "button",
      class: "run",
      "aria-label": "Run cell",
      title: "Run (Shift-Enter)",
      onclick: () => actions.run(id, false),
    },
    icon("M5 3.5v9l7.5-4.5z"),
  );
  const gutter = element("div", { class: "gutter" }, isText ? null : run, status);
  const node = element(
    "section",
    {
      class: `cell ${isText ? "is-text" : "is-code"}`,
      "data-id": id,
      tabindex: -1,
      "aria-label": `Cell ${id}`,
      onfocusin: () => actions.select(id),
      onpointerdown: () => actions.select(id),
      ondblclick: () => openText(),
    },
    actions.isApp ? null : gutter,
    element(
      "div",
      { class: "body" },
      outputs.node,
      progress.node,
      error,
      notice,
      conflict,
      ...(actions.isApp ? [] : [isText ? null : foldLine, code]),
    ),
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
  const hasConflict = (): boolean =>
    isDirty() && base.revision !== source.revision && tidySource(text) !== source.source;

  function refresh(): void {
    node.dataset.status = state.status;
    node.classList.toggle("dirty", isDirty());
    node.classList.toggle("disabled", source.disabled);
    foldLine.textContent = text.split("\n").find((line) => line.trim() !== "") ?? "empty";
    node.classList.toggle("empty", outputs.isEmpty);
    drawStatus(status, state, isText);
    const shown = state.error ?? (source.problem === null ? null : { ...source.problem, stack: null });
    drawError(error, shown);
    const calm = state.status === "waiting" || (state.status === "stale" && state.message !== null);
    notice.hidden = state.message === null || !(calm || ["blocked", "interrupted"].includes(state.status));
    notice.textContent = state.message ?? "";
    notice.classList.toggle("calm", calm || state.isCalm);
    conflict.hidden = !hasConflict();
    if (editor !== null) markLine(editor, shown?.line ?? null);
  }
  conflict.append(
    element("span", {}, "This cell was changed elsewhere while you typed."),
    element(
      "button",
      {
        type: "button",
        onclick: () => {
          base = { source: source.source, revision: source.revision };
          refresh();
          actions.typed(id);
        },
      },
      "Keep mine",
    ),
    element(
      "button",
      {
        type: "button",
        onclick: () => {
          base = { source: source.source, revision: source.revision };
          putText(source.source);
          refresh();
          actions.typed(id);
        },
      },
      "Take theirs",
    ),
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
      // a draft of the present revision is unsaved text; a draft of an older one is a conflict
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
      if (at !== undefined)
        editor?.dispatch({ selection: { anchor: at === "start" ? 0 : (editor.state.doc.length ?? 0) } });
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
