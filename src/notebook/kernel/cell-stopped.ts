/** Thrown by `stop(…)` in a cell: it does not run now, and nothing is wrong. */
export class CellStopped extends Error {
  constructor(message: string) {
    super(message);
    this.name = "CellStopped";
  }
}
