/** What a download reports. */
export type PullEvent =
  /** Once, when it is known what is missing; of some of it, a part may lie there from an interrupted download. */
  | { readonly kind: "planned"; readonly files: readonly PlannedFile[]; readonly totalBytes: number }
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

/** A file that will be downloaded. */
export interface PlannedFile {
  readonly file: string;
  readonly receivedBytes: number;
  readonly totalBytes: number;
}

/** Something to know that is not an error: a wait, another try. */
export interface PullNote {
  readonly kind: "note";
  readonly message: string;
}
