/** What a download reports. */
export type PullEvent =
  /** Once, when it is known what is missing. `receivedBytes` lie there from an interrupted download. */
  | {
      readonly kind: "planned";
      readonly files: readonly string[];
      readonly receivedBytes: number;
      readonly totalBytes: number;
    }
  /** Now and then while a file comes in; may go back when a damaged beginning is dropped. */
  | {
      readonly kind: "received";
      readonly file: string;
      readonly receivedBytes: number;
      readonly totalBytes: number;
    }
  /** The file is checked and in its place. */
  | {
      readonly kind: "completed";
      readonly file: string;
      readonly receivedBytes: number;
      readonly totalBytes: number;
    }
  | PullNote;

/** Something to know that is not an error: a wait, another try. */
export interface PullNote {
  readonly kind: "note";
  readonly message: string;
}
