import { dirname, join } from "node:path";

/** The folder beside a notebook for what belongs to it and is no part of it: cache, drafts, results. */
export const storageFolderOf = (notebook: string): string => join(dirname(notebook), ".sep-notebook");
