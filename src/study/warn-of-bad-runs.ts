import type { LoadedRuns } from "../samples/read-runs.ts";
import { describeProblems } from "../store/jsonl.ts";
import type { ManifestWarning } from "../store/manifest.ts";

/** What was left out of a runs file when it was read. */
export function warnOfBadRuns({
  problems,
  duplicates,
}: Pick<LoadedRuns, "problems" | "duplicates">): ManifestWarning[] {
  const left = (code: string, what: string, lines: typeof problems): ManifestWarning[] =>
    lines.length === 0
      ? []
      : [{ code, message: `${lines.length} ${what} were left out: ${describeProblems(lines)}` }];
  return [...left("bad-lines", "lines", problems), ...left("duplicate-runs", "repeated runs", duplicates)];
}
