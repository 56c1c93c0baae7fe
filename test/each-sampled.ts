import { it } from "vitest";

/**
 * Many cases of one test: `npm test` runs the first of them, `npm run test:long` the others.
 * @param sample how many of the first cases `npm test` runs
 */
export function eachSampled<Case extends readonly unknown[]>(
  cases: readonly Case[],
  { sample = 1, skip = false }: { readonly sample?: number; readonly skip?: boolean } = {},
): (name: string, test: (...values: Case) => void | Promise<void>, timeoutMs?: number) => void {
  return (name, test, timeoutMs = 120_000) => {
    const each = it.skipIf(skip);
    each.each(cases.slice(0, sample) as Case[])(name, { timeout: timeoutMs }, test as never);
    each.each(cases.slice(sample) as Case[])(name, { timeout: timeoutMs, tags: ["long"] }, test as never);
  };
}
