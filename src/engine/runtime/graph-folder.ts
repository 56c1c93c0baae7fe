import { copyFile, link, mkdtemp, readdir, realpath, rm, stat, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { cacheFolder } from "../../checkpoint/cache-folder.ts";
import { errnoOf, explainCacheError, makeFolder } from "../../store/file-error.ts";
import { isProcessAlive } from "../../store/process-identity.ts";

/**
 * A folder with a graph and, beside it, the weight files that its constants point into. It is needed only until
 * onnxruntime has opened the graph.
 */
export interface GraphFolder extends AsyncDisposable {
  readonly modelPath: string;
}

const FOLDER_PREFIX = "graph-";
/** No load takes this long; younger folders may belong to a process that cannot be seen from here. */
const ABANDONED_AFTER_MS = 3_600_000;

/**
 * Puts a graph and its weight files into one folder, as onnxruntime demands. The weights are hard links where the
 * file system allows it: nothing is copied, and nothing is converted. Links, of which the Hugging Face cache is made,
 * are followed first, since a hard link to a link would lead nowhere from here.
 * @param weightFiles absolute paths with distinct base names
 */
export async function createGraphFolder(
  model: Uint8Array,
  weightFiles: readonly string[],
): Promise<GraphFolder> {
  const root = cacheFolder("graphs");
  const explain = (error: unknown): never => {
    throw explainCacheError(error, root, "another folder with SEP_CACHE");
  };
  const folder = await makeFreshFolder(root).catch(explain);
  const remove = (): Promise<void> => removeFolder(folder);
  try {
    const modelPath = join(folder, "model.onnx");
    await writeFile(modelPath, model);
    for (const file of weightFiles) await placeFile(await realpath(file), join(folder, basename(file)));
    return { modelPath, [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    return explain(error);
  }
}

async function placeFile(source: string, target: string): Promise<void> {
  try {
    await link(source, target);
  } catch (error) {
    const code = errnoOf(error);
    // another file system, or one without hard links or without the right to make them
    if (code !== "EXDEV" && code !== "EPERM" && code !== "ENOTSUP" && code !== "EMLINK") throw error;
    await copyFile(source, target);
  }
}

/** A fresh folder whose name says which process made it; those that dead processes left are removed. */
async function makeFreshFolder(root: string): Promise<string> {
  await makeFolder(root);
  for (const name of await readdir(root)) {
    if (await isAbandoned(join(root, name), name)) await removeFolder(join(root, name));
  }
  return mkdtemp(join(root, `${FOLDER_PREFIX}${process.pid}-`));
}

async function isAbandoned(folder: string, name: string): Promise<boolean> {
  const pid = new RegExp(`^${FOLDER_PREFIX}(\\d+)-`).exec(name)?.[1];
  if (pid === undefined || (await isProcessAlive(Number(pid), null))) return false;
  const { mtimeMs } = await stat(folder).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY })); // gone meanwhile
  return Date.now() - mtimeMs > ABANDONED_AFTER_MS;
}

async function removeFolder(folder: string): Promise<void> {
  try {
    await rm(folder, { recursive: true, force: true });
  } catch (error) {
    // Windows keeps a file that is still mapped; a later load finds the folder abandoned and removes it
    if (process.platform !== "win32") throw error;
  }
}
