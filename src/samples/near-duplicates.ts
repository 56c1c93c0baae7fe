import { questionWords } from "../text/segment-text.ts";

interface NearDuplicateOptions {
  /** Words in a gram. A question of fewer words is a near-duplicate of none: it is the same as another, or differs. */
  readonly gramSize?: number;
  /** Jaccard similarity of two questions' sets of grams from which they are near-duplicates, in (0, 1]. */
  readonly threshold?: number;
}

/** Which questions say the same, or nearly. */
interface QuestionGroups {
  /** [n] place of the first member of each question's group; its own where it is alone. */
  readonly firstOf: Int32Array;
  /** Questions whose normalised text is that of an earlier one. */
  readonly sameCount: number;
  /** Other questions that are in a group with an earlier one. */
  readonly nearCount: number;
}

/** Three words: "What is 17 + 25?" and "What is 17 + 26?" share two grams of four. */
const GRAM_SIZE = 3;
/** As in Lee et al. 2022, "Deduplicating training data makes language models better", section 4.2. */
const THRESHOLD = 0.8;

/**
 * Groups questions that are the same by their words, or near-duplicates: the connected components of all pairs whose sets
 * of word n-grams have a Jaccard similarity of at least the threshold. Every such pair counts; nothing is approximate.
 * @throws RangeError for a gram size that is not an integer from 1, or a threshold outside (0, 1]
 */
export function groupQuestions(
  texts: readonly string[],
  { gramSize = GRAM_SIZE, threshold = THRESHOLD }: NearDuplicateOptions = {},
): QuestionGroups {
  if (!(Number.isInteger(gramSize) && gramSize >= 1))
    throw new RangeError(`The gram size is ${gramSize}, expected an integer from 1.`);
  if (!(threshold > 0 && threshold <= 1))
    throw new RangeError(`The threshold is ${threshold}, outside (0, 1].`);
  const words = texts.map(questionWords);
  const firstWith = new Map<string, number>();
  const firstOf = Int32Array.from(words, (own, place) => {
    const normalised = own.join(" ");
    const first = firstWith.get(normalised) ?? place;
    firstWith.set(normalised, first);
    return first;
  });
  const sameCount = texts.length - firstWith.size;
  const long = [...firstWith.values()].filter((place) => words[place]!.length >= gramSize);
  const grams = listGrams(
    long.map((place) => words[place]!),
    gramSize,
  );
  const forest = createForest(long.length);
  joinSimilar(grams, threshold, forest);
  const rootOf = new Map(long.map((place, i) => [place, long[forest.rootOf(i)]!]));
  const roots = firstOf.map((first) => rootOf.get(first) ?? first);
  return { firstOf: roots, sameCount, nearCount: firstWith.size - new Set(roots).size };
}

/**
 * Each question's set of grams, as numbers that grow with how often a gram occurs, so that its rarest come first.
 * @param questions each of at least `gramSize` words
 * @returns [questions] ascending, without repeats
 */
function listGrams(questions: readonly (readonly string[])[], gramSize: number): Int32Array[] {
  const vocabulary = new Map<string, number>();
  const words = questions.map((own) =>
    Float64Array.from(own, (word) => {
      const id = vocabulary.get(word) ?? vocabulary.size;
      vocabulary.set(word, id);
      return id;
    }),
  );
  let grams = numberByFrequency(words);
  for (let size = 2; size <= gramSize; size++) {
    // a gram is the number of its beginning with that of its last word
    const longer = grams.map((own, question) => {
      const ends = words[question]!;
      return own.subarray(0, -1).map((beginning, at) => beginning * vocabulary.size + ends[at + size - 1]!);
    });
    grams = numberByFrequency(longer);
  }
  return grams.map((own) => Int32Array.from(own.sort()).filter((gram, at, all) => gram !== all[at - 1]));
}

/** Numbers the distinct values from 0, the rarest first. Sorts, since a Map is full at 2^24 of them. */
function numberByFrequency(lists: readonly Float64Array[]): Float64Array[] {
  const sorted = new Float64Array(lists.reduce((sum, { length }) => sum + length, 0));
  let filled = 0;
  for (const list of lists) {
    sorted.set(list, filled);
    filled += list.length;
  }
  sorted.sort();
  const starts = sorted.map((_, at) => at).filter((at) => at === 0 || sorted[at] !== sorted[at - 1]);
  const values = starts.map((at) => sorted[at]!);
  const count = values.length;
  const byFrequency = starts.map((at, i) => ((starts[i + 1] ?? sorted.length) - at) * count + i).sort();
  const numberOf = new Float64Array(count);
  byFrequency.forEach((key, number) => {
    numberOf[key % count] = number;
  });
  return lists.map((list) => list.map((value) => numberOf[findSorted(values, value)]!));
}

/** Place of a value that is among `values`, which ascend. */
function findSorted(values: Float64Array, value: number): number {
  let low = 0;
  let high = values.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (values[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Products such as 0.7 * 10 come out a little above the whole number that they are. */
const ceil = (value: number): number => Math.ceil(value - 1e-9);

/**
 * Joins all sets whose Jaccard similarity is at least the threshold. Two sets that are so alike share one of their few
 * rarest grams, so each is held only against those that have one of its own rarest among theirs, and only if the grams
 * that follow could be enough.
 * @see Bayardo, Ma and Srikant 2007, "Scaling up all pairs similarity search"; Xiao et al. 2008, "Efficient similarity
 *   joins for near duplicate detection"
 */
function joinSimilar(sets: readonly Int32Array[], threshold: number, { isJoined, join }: Forest): void {
  const order = [...sets.keys()].sort((a, b) => sets[a]!.length - sets[b]!.length);
  const shared = (2 * threshold) / (1 + threshold);
  const indexedOf = (size: number): number => size - ceil(shared * size) + 1;
  const gramCount = sets.reduce((most, set) => Math.max(most, (set.at(-1) ?? -1) + 1), 0);
  const capacity = sets.reduce((sum, { length }) => sum + indexedOf(length), 0);
  // for each gram, a list of the sets that have it among their rarest, the latest and so the largest first
  const latest = new Int32Array(gramCount).fill(-1);
  const owner = new Int32Array(capacity);
  const position = new Int32Array(capacity);
  const before = new Int32Array(capacity);
  // an earlier entry of the list, with none but sets of the same group in between: sets of one group are many in one list
  const skip = new Int32Array(capacity);
  let filled = 0;
  const seenBy = new Int32Array(sets.length).fill(-1);
  for (const own of order) {
    const set = sets[own]!;
    const size = set.length;
    const smallest = ceil(threshold * size);
    for (let at = 0; at <= size - smallest; at++) {
      for (let entry = latest[set[at]!]!; entry >= 0; ) {
        const other = owner[entry]!;
        const otherSize = sets[other]!.length;
        if (otherSize < smallest) break;
        if (seenBy[other] !== own && !isJoined(own, other)) {
          seenBy[other] = own; // whatever comes of it: this is the first gram that both have
          const left = Math.min(size - at, otherSize - position[entry]!);
          if (left >= neededOverlap(size, otherSize, threshold) && areSimilar(set, sets[other]!, threshold))
            join(own, other);
        }
        if (!isJoined(own, other)) {
          entry = before[entry]!;
          continue;
        }
        const next = skip[entry]!;
        if (next >= 0 && isJoined(own, owner[next]!)) skip[entry] = skip[next]!;
        entry = next;
      }
    }
    for (let at = 0; at < indexedOf(size); at++) {
      owner[filled] = own;
      position[filled] = at;
      before[filled] = skip[filled] = latest[set[at]!]!;
      latest[set[at]!] = filled++;
    }
  }
}

/** How many elements two sets of these sizes share at least if their Jaccard similarity reaches the threshold. */
const neededOverlap = (one: number, other: number, threshold: number): number =>
  ceil((threshold / (1 + threshold)) * (one + other));

/** @param one and other ascend */
function areSimilar(one: Int32Array, other: Int32Array, threshold: number): boolean {
  const needed = neededOverlap(one.length, other.length, threshold);
  let overlap = 0;
  let i = 0;
  let j = 0;
  while (overlap + Math.min(one.length - i, other.length - j) >= needed) {
    if (i === one.length || j === other.length) return true;
    const difference = one[i]! - other[j]!;
    if (difference === 0) overlap++;
    if (difference <= 0) i++;
    if (difference >= 0) j++;
  }
  return false;
}

/** Groups that can only be joined; each goes by its first member. */
interface Forest {
  rootOf(member: number): number;
  isJoined(one: number, other: number): boolean;
  join(one: number, other: number): void;
}

function createForest(size: number): Forest {
  const parent = Int32Array.from({ length: size }, (_, member) => member);
  const rootOf = (member: number): number => {
    let root = member;
    while (parent[root] !== root) root = parent[root]!;
    for (let at = member; at !== root; ) {
      const next = parent[at]!;
      parent[at] = root;
      at = next;
    }
    return root;
  };
  return {
    rootOf,
    isJoined: (one, other) => rootOf(one) === rootOf(other),
    join(one, other) {
      const [a, b] = [rootOf(one), rootOf(other)];
      parent[Math.max(a, b)] = Math.min(a, b);
    },
  };
}
