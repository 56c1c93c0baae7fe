import { type KvBlock, kvBytesPerToken } from "../session/kv-block.ts";
import {
  type BatchLimits,
  type BatchOwner,
  type BatchParts,
  createBatch,
  type Member,
  type PassOutcome,
  type RowClaim,
} from "./batch.ts";

/**
 * Rows of all jobs, in two batches that take turns: the older one has the rows with more tokens. All rows of a pass take the
 * room, and the time, of the longest among them, so that rows of all ages in one pass would attend to nothing half of the time.
 */
export interface Cohorts<Owner extends BatchOwner> {
  readonly memberCount: number;
  /** Whether rows that begin may join. */
  fits(claims: readonly RowClaim<Owner>[]): boolean;
  /** Whether there would be memory for them. */
  hasMemory(claims: readonly RowClaim<Owner>[]): boolean;
  /** Adds rows of a job that begin after its prompt. */
  add(owner: Owner, members: readonly Member[], prefix: KvBlock): void;
  /** Removes what has ended, and rows of jobs that are over; those whose members go different ways become several. */
  settle(): void;
  /** Whether rows of a job run. */
  holds(owner: Owner): boolean;
  /** Runs the next token of one batch's rows. */
  run(): Promise<CohortOutcome<Owner>>;
}

interface CohortOutcome<Owner extends BatchOwner> extends PassOutcome<Owner> {
  /** Of the rows that ran. */
  readonly memberCount: number;
}

/** Of a pass's rows. With fewer, the younger rows wait until the older ones have room for them. */
const WORTH_A_PASS = 0.5;
/**
 * Of a pass's rows. Room for so many is filled with part of a job's rows; otherwise they move together, so that they share one
 * copy of their prompt.
 */
const WORTH_SPLITTING = 0.125;

export function createCohorts<Owner extends BatchOwner>(
  parts: BatchParts,
  limits: BatchLimits,
): Cohorts<Owner> {
  const tokens = Math.floor(limits.kvBytes / kvBytesPerToken(parts.session.config));
  const most = { rows: limits.rows, tokens };
  const young = createBatch<Owner>(parts, most);
  const old = createBatch<Owner>(parts, most);
  /** Of jobs with rows among the younger ones. */
  const prefixes = new Map<Owner, KvBlock>();
  let isYoungNext = false;
  const countMembers = (): number => young.memberCount + old.memberCount;
  const countWith = (claims: readonly RowClaim<Owner>[]): number =>
    claims.reduce((sum, { rows }) => sum + rows, countMembers());

  /** Moves the longest of the younger rows to where rows have ended among the older ones. */
  const promote = (): void => {
    for (;;) {
      const { oldest } = young;
      if (oldest === null) return;
      const room = limits.rows - old.memberCount;
      if (room < Math.min(oldest.rows, WORTH_SPLITTING * limits.rows)) return;
      if (young.move(oldest.owner, room, old, prefixes.get(oldest.owner) as KvBlock) === 0) return;
    }
  };
  const hasMemory = (claims: readonly RowClaim<Owner>[]): boolean => {
    const members = countWith(claims);
    if (members === 1) return true; // it runs whatever it takes
    const needed = young.tokensWith(claims) + old.tokensWith([]);
    // without memory for two full batches, the younger one would run half empty
    const ofFull = members <= limits.rows ? needed : (2 * limits.rows * needed) / members;
    return ofFull <= most.tokens;
  };
  return {
    get memberCount() {
      return countMembers();
    },
    hasMemory,
    fits: (claims) => countWith(claims) - old.memberCount <= limits.rows && hasMemory(claims),
    add(owner, members, prefix) {
      young.add(owner, members, prefix);
      prefixes.set(owner, prefix);
    },
    settle() {
      for (const batch of [young, old]) batch.settle();
      for (const owner of prefixes.keys()) if (!young.holds(owner)) prefixes.delete(owner);
    },
    holds: (owner) => young.holds(owner) || old.holds(owner),
    async run() {
      promote();
      const isYoung = isYoungNext && young.memberCount >= WORTH_A_PASS * limits.rows;
      isYoungNext = !isYoung;
      const batch = isYoung ? young : old;
      const { memberCount } = batch;
      return { memberCount, ...(await batch.run()) };
    },
  };
}
