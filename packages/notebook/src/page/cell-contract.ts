import type { CellSource, CellState, ControlValue, Output } from "../wire.ts";
import { element, icon } from "./element.ts";

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
  /** Creates the editor; until then plain text is shown instead. */
  prepare(): void;
}

export type MenuAction = "up" | "down" | "disable" | "delete" | "fold" | "add-code" | "add-text";

/** The actions at a cell's upper right, and the buttons between it and the next cell. */
export function drawCellMenu({ kind }: CellSource, act: (action: MenuAction) => void): DocumentFragment {
  const button = (action: MenuAction, label: string, path: string): HTMLElement =>
    element(
      "button",
      { type: "button", "aria-label": label, title: label, tabindex: -1, onclick: () => act(action) },
      icon(path),
    );
  const menu = element(
    "div",
    { class: "cell-menu", role: "toolbar", "aria-label": "Cell" },
    button("up", "Move up (Alt-↑)", "M8 13V3M4 7l4-4 4 4"),
    button("down", "Move down (Alt-↓)", "M8 3v10M4 9l4 4 4-4"),
    kind === "markdown"
      ? null
      : button(
          "fold",
          "Hide or show code (o)",
          "M1.5 8s2.5-4.5 6.5-4.5S14.5 8 14.5 8 12 12.5 8 12.5 1.5 8 1.5 8zM8 10a2 2 0 100-4 2 2 0 000 4z",
        ),
    button(
      "disable",
      "Exclude from runs, or include again (x)",
      "M3.5 3.5l9 9M8 1.8a6.2 6.2 0 110 12.4A6.2 6.2 0 018 1.8z",
    ),
    button("delete", "Delete (d d)", "M3 4.5h10M6.5 4V2.8h3V4M4.2 4.5l.6 8.7h6.4l.6-8.7"),
  );
  const adder = element(
    "div",
    { class: "adder" },
    element("button", { type: "button", tabindex: -1, onclick: () => act("add-code") }, "+ Code"),
    element("button", { type: "button", tabindex: -1, onclick: () => act("add-text") }, "+ Text"),
  );
  const both = document.createDocumentFragment();
  both.append(menu, adder);
  return both;
}
