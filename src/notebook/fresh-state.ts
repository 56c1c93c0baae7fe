import type { CellState } from "./wire.ts";

/** How a cell is that never ran. */
export const FRESH_STATE: CellState = {
  status: "idle",
  error: null,
  message: null,
  isCalm: false,
  durationMs: null,
  runs: 0,
  progress: null,
};
