import { writeFile } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { errnoOf, explainFileError, makeFolder } from "../../store/file-error.ts";

/** Begins a notebook with one cell. A file that is there already stays as it is. */
export async function createNotebook(path: string): Promise<void> {
  const title = basename(path)
    .replace(/\.html?$/i, "")
    .replace(/[-_]+/g, " ");
  await makeFolder(dirname(path));
  try {
    await writeFile(path, STARTER.replace("TITLE", title.replace(/[<&]/g, "")), { flag: "wx" });
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw explainFileError(error, path);
  }
}

const STARTER = `<!doctype html>
<notebook theme="air">
  <title>TITLE</title>
  <script id="1" type="text/x-typescript">
    import { semanticEntropy } from "semantic-entropy-probes";
  </script>
</notebook>
`;
