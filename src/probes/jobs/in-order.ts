/**
 * Hands all jobs in at once and yields their results in the jobs' order, each as soon as it and those before it are
 * ready. The first failure is thrown when its turn comes.
 */
export async function* inOrder<Job, Result>(
  jobs: readonly Job[],
  run: (job: Job) => Promise<Result>,
): AsyncGenerator<Result, void> {
  const results = jobs.map(run);
  for (const result of results) result.catch(() => undefined); // thrown below, or after a failure before it
  for (const result of results) yield await result;
}
