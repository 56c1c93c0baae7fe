import type { CellSource, CellState, ControlValue, Output } from "../wire.ts";
import type { MenuAction } from "./cell-menu.ts";

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
