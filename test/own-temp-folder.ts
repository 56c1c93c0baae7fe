import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Vitest's global set-up: whatever the tests make in the system's temporary folder is in one of theirs, and goes with it. */
export default function useOwnTempFolder(): () => void {
  const folder = mkdtempSync(join(tmpdir(), "sep-tests-"));
  process.env.TMPDIR = folder;
  return () => {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  };
}
