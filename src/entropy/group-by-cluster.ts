/**
 * Samples' values by their cluster.
 * @param clusterIds [K] cluster of each sample, from 0 to C - 1, each at least once
 * @param values     [K]
 * @returns [C] lists, each in the samples' order
 * @throws RangeError if K = 0, the lengths differ, or an id is missing
 */
export function groupByCluster<T>(clusterIds: readonly number[], values: readonly T[]): T[][] {
  if (clusterIds.length === 0) throw new RangeError("no samples");
  if (clusterIds.length !== values.length)
    throw new RangeError(`${clusterIds.length} cluster ids for ${values.length} samples`);
  const members: T[][] = [];
  clusterIds.forEach((id, i) => {
    if (!Number.isInteger(id) || id < 0 || id >= clusterIds.length)
      throw new RangeError(`cluster id ${id} of ${clusterIds.length} samples`);
    members[id] ??= [];
    members[id].push(values[i] as T);
  });
  for (let id = 0; id < members.length; id++) {
    if (members[id] === undefined) throw new RangeError(`no sample in cluster ${id} of ${members.length}`);
  }
  return members;
}
