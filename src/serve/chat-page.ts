/** A file that the server's page consists of. */
interface PageFile {
  readonly type: string;
  readonly body: string;
}

/** The files of the page, by path. The list is fixed: no request's path is looked up on disk. */
export const PAGE_FILES: ReadonlyMap<string, PageFile> = new Map();
