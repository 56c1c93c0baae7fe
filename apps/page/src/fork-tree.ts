import type { Fork } from "./messages.ts";

/** A piece of a drawn fork: tokens that the same continuations share. */
export interface Branch {
  /** From and to, in tokens behind the fork. */
  readonly from: number;
  readonly to: number;
  /** Rows from the top, fractional where a branch leads to several. */
  readonly fromRow: number;
  readonly toRow: number;
  /** Continuations in it. */
  readonly count: number;
  /** Rank of the one meaning that all of them have; null where they part later. */
  readonly meaning: number | null;
  readonly text: string;
}

/** Continuations that mean the same. */
export interface Meaning {
  readonly answer: string | null;
  /** Indices of its samples. */
  readonly members: readonly number[];
  readonly probability: number;
  /** Its rows, which lie side by side. */
  readonly firstRow: number;
  readonly lastRow: number;
}

export interface ForkTree {
  readonly branches: readonly Branch[];
  /** The commonest first. */
  readonly meanings: readonly Meaning[];
  /** Different continuations. */
  readonly rows: number;
  /** Tokens of the longest continuation. */
  readonly depth: number;
}

/** Lays continuations out as a tree: a row for each different one, those of a meaning together. */
export function layOutFork({ samples, probabilities }: Pick<Fork, "samples" | "probabilities">): ForkTree {
  const meanings = rankMeanings(samples, probabilities);
  const rankOf = new Map(
    meanings.flatMap(({ members }, rank) => members.map((member) => [member, rank] as const)),
  );
  const rowOf = new Map<string, number>();
  for (const { members } of meanings)
    for (const text of members.map((member) => textOf(samples[member])).sort())
      if (!rowOf.has(text)) rowOf.set(text, rowOf.size);
  const rowsOf = (members: readonly number[]): number[] => [
    ...new Set(members.map((member) => rowOf.get(textOf(samples[member])) as number)),
  ];
  const middle = (members: readonly number[]): number => {
    const rows = rowsOf(members);
    return rows.reduce((sum, row) => sum + row, 0) / rows.length;
  };
  const branches: Branch[] = [];
  const grow = (members: readonly number[], from: number, fromRow: number): void => {
    let to = from;
    const first = samples[members[0] as number]?.tokens ?? [];
    const agree = (): boolean =>
      to < first.length && members.every((member) => samples[member]?.tokens[to] === first[to]);
    while (agree()) to++;
    const ranks = new Set(members.map((member) => rankOf.get(member) as number));
    const toRow = middle(members);
    if (to > from) {
      const meaning = ranks.size === 1 ? ([...ranks][0] as number) : null;
      const text = first.slice(from, to).join("");
      branches.push({ from, to, fromRow, toRow, count: members.length, meaning, text });
    }
    const parts = new Map<string, number[]>();
    for (const member of members) {
      const next = samples[member]?.tokens[to];
      // a continuation that has ended has no part of its own
      if (next !== undefined) parts.set(next, [...(parts.get(next) ?? []), member]);
    }
    for (const part of parts.values()) grow(part, to, to > from ? toRow : fromRow);
  };
  const everybody = samples.map((_, index) => index);
  grow(everybody, 0, middle(everybody));
  const placed = meanings.map((meaning) => {
    const rows = rowsOf(meaning.members);
    return { ...meaning, firstRow: Math.min(...rows), lastRow: Math.max(...rows) };
  });
  return {
    branches,
    meanings: placed,
    rows: rowOf.size,
    depth: Math.max(0, ...samples.map(({ tokens }) => tokens.length)),
  };
}

const textOf = (sample: Fork["samples"][number] | undefined): string => (sample?.tokens ?? []).join("");

function rankMeanings(
  samples: Fork["samples"],
  probabilities: readonly number[],
): Omit<Meaning, "firstRow" | "lastRow">[] {
  const firstText = ({ members }: { readonly members: readonly number[] }): string =>
    members.map((member) => textOf(samples[member])).sort()[0] ?? "";
  return (
    probabilities
      .map((probability, meaning) => {
        const members = samples.flatMap((sample, index) => (sample.meaning === meaning ? [index] : []));
        return { answer: samples[members[0] as number]?.answer ?? null, members, probability };
      })
      // of equal ones, those that begin alike side by side
      .sort((a, b) => b.members.length - a.members.length || (firstText(a) < firstText(b) ? -1 : 1))
  );
}
