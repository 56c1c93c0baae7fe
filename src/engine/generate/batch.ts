import type { DecoderConfig } from "../graph/decoder-config.ts";
import { stateAt } from "../layer-states.ts";
import type { DecoderSession } from "../session/decoder-session.ts";
import {
  capacityFor,
  createKvRows,
  createKvStepRoom,
  type KvBlock,
  type KvRows,
  prefixCapacityFor,
  suffixCapacityFor,
} from "../session/kv-block.ts";
import type { DrawnSums, LogitReach } from "../session/vocabulary.ts";
import { type Prediction, predictNext } from "./prediction.ts";
import { countCommon, type PromptTokens } from "./prefill.ts";

/** What a batch needs to know of a job. */
export interface BatchOwner {
  readonly job: {
    readonly prompt: PromptTokens;
    readonly maxTokens: number;
    readonly temperature: number;
    reach(row: number): LogitReach;
    readonly layers: readonly number[];
  };
  readonly isOver: boolean;
}

/** What a row goes on with. */
export interface RowStep {
  readonly tokenId: number;
  /** The token is the row's last, and is run to read the residual stream at it. */
  readonly isLast: boolean;
}

/** One of a job's rows, with the step that it takes next; null when it has ended. */
export interface Member {
  /** In the job. */
  readonly index: number;
  step: RowStep | null;
}

/** Rows of a job that have the same tokens so far, and are run as one: their numbers are the same. */
export interface ActiveRow<Owner extends BatchOwner> {
  readonly owner: Owner;
  members: readonly Member[];
}

/** What a batch may hold. */
export interface BatchLimits {
  /** Jobs' rows in one pass. */
  readonly rows: number;
  /** Keys and values of all rows and prompts; one row runs whatever it takes. */
  readonly kvBytes: number;
}

/** What the rows of one batch may take at most: members, and tokens with their keys and values. */
interface BatchRoom {
  readonly rows: number;
  readonly tokens: number;
}

/** Rows of a job that are to be added. */
export interface RowClaim<Owner extends BatchOwner> {
  readonly owner: Owner;
  readonly rows: number;
}

/** Rows that run in the same passes, with their keys and values. */
export interface Batch<Owner extends BatchOwner> {
  /** Members of all rows together. */
  readonly memberCount: number;
  /** The job of the row with the most tokens, and how many members its rows have; null where there are no rows. */
  readonly oldest: RowClaim<Owner> | null;
  /** Tokens whose keys and values the rows and some others will take room for when they are longest. */
  tokensWith(claims: readonly RowClaim<Owner>[]): number;
  /** Adds rows of a job that begin after its prompt. */
  add(owner: Owner, members: readonly Member[], prefix: KvBlock): void;
  /** Adds a row with the tokens that it has so far. */
  take(
    row: ActiveRow<Owner>,
    prefix: KvBlock,
    tokens?: { readonly block: KvBlock; readonly row: number },
  ): void;
  /**
   * Moves rows of a job to another batch, after {@link settle}.
   * @param most members that may move
   * @returns how many did
   */
  move(owner: Owner, most: number, to: Batch<Owner>, prefix: KvBlock): number;
  /** Removes what has ended, and rows of jobs that are over; those whose members go different ways become several. */
  settle(): void;
  /** Whether rows of a job run. */
  holds(owner: Owner): boolean;
  /** Runs each row's next token. */
  run(): Promise<PassOutcome<Owner>>;
}

export interface PassOutcome<Owner extends BatchOwner> {
  /** Rows whose next token is predicted. */
  readonly predicted: readonly { readonly row: ActiveRow<Owner>; readonly prediction: Prediction }[];
  /** Rows that have had their last pass; residual [layers * D]. */
  readonly closed: readonly { readonly row: ActiveRow<Owner>; readonly residual: Float32Array }[];
}

/**
 * How many rows of no tokens must run beside a row, so that its numbers do not depend on the rows beside it: products of a
 * row or a prompt are split among threads, which changes their rounding, unless there are as many of them as threads; and
 * where there is one only, all its vectors are multiplied at once.
 */
export const countIdleRows = ({ kvHeadCount }: DecoderConfig, threads: number): number =>
  Math.ceil(Math.max(2, threads) / kvHeadCount) - 1;

export interface BatchParts {
  readonly session: DecoderSession;
  /** onnxruntime's threads within a pass. */
  readonly threads: number;
}

export function createBatch<Owner extends BatchOwner>(
  { session, threads }: BatchParts,
  most: BatchRoom,
): Batch<Owner> {
  const { config } = session;
  const rows: ActiveRow<Owner>[] = [];
  /** Jobs by the place of their prompt among the prefixes. */
  const groups: Owner[] = [];
  const suffixes = createKvRows(config, suffixCapacityFor);
  const prefixes = createKvRows(config, prefixCapacityFor);
  /** What groups have in common, each once, by its place among the commons; null for nothing. */
  const shared: (KvBlock | null)[] = [];
  const commons = createKvRows(config);
  const room = createKvStepRoom(config);
  /** Of each group. */
  const commonOfGroup: (KvBlock | null)[] = [];
  const idle = countIdleRows(config, threads);
  for (let i = 0; i < idle; i++) {
    suffixes.add();
    prefixes.add();
  }
  const longestOf = (owners: readonly Owner[]): number => Math.max(...owners.map(({ job }) => job.maxTokens));
  const countMembers = (): number => rows.reduce((sum, { members }) => sum + members.length, 0);
  const holds = (owner: Owner): boolean => groups.includes(owner);

  /** Room for all that rows may grow to, and for some more rows. */
  const reserve = (members: number, owners: readonly Owner[]): void => {
    const roomy = Math.min(most.rows, 2 ** Math.ceil(Math.log2(members)));
    const tokens = members === 0 ? 0 : (idle + roomy) * suffixCapacityFor(config, longestOf(owners));
    suffixes.reserve(Math.min(tokens, most.tokens));
  };
  const remove = (at: number): void => {
    const { owner } = rows[at] as ActiveRow<Owner>;
    suffixes.remove(idle + at);
    moveLastTo(rows, at);
    if (rows.some((row) => row.owner === owner)) return;
    const group = groups.indexOf(owner);
    prefixes.remove(idle + group);
    moveLastTo(groups, group);
    const common = commonOfGroup[group] as KvBlock | null;
    moveLastTo(commonOfGroup, group);
    if (commonOfGroup.includes(common)) return;
    const place = shared.indexOf(common);
    commons.remove(place);
    moveLastTo(shared, place);
  };
  const join = (owner: Owner, prefix: KvBlock): void => {
    const common = prefix.common ?? null;
    if (!shared.includes(common)) {
      commons.add(common ?? undefined);
      shared.push(common);
    }
    prefixes.add(prefix);
    groups.push(owner);
    commonOfGroup.push(common);
  };
  const take: Batch<Owner>["take"] = ({ owner, members }, prefix, tokens) => {
    reserve(countMembers() + members.length, [...groups, owner]);
    if (!holds(owner)) join(owner, prefix);
    suffixes.add(tokens?.block, tokens?.row);
    rows.push({ owner, members });
  };
  return {
    holds,
    get memberCount() {
      return countMembers();
    },
    get oldest() {
      const { lengths } = suffixes.block;
      const lengthOf = (at: number): number => lengths[idle + at] as number;
      const at = rows.reduce((best, _, index) => (lengthOf(index) > lengthOf(best) ? index : best), 0);
      const owner = rows[at]?.owner;
      if (owner === undefined) return null;
      const own = rows.filter((row) => row.owner === owner);
      return { owner, rows: own.reduce((sum, { members }) => sum + members.length, 0) };
    },
    tokensWith(claims) {
      const members = claims.reduce((sum, claim) => sum + claim.rows, countMembers());
      const owners = [...new Set([...groups, ...claims.map(({ owner }) => owner)])];
      if (owners.length === 0) return 0;
      const common = Math.max(...owners.map(({ job }) => countCommon(job.prompt)));
      const own = Math.max(...owners.map(({ job }) => job.prompt.tokenIds.length - countCommon(job.prompt)));
      return (
        (shared.length + 1) * capacityFor(config, common) +
        (idle + owners.length) * prefixCapacityFor(config, own) +
        (idle + members) * suffixCapacityFor(config, longestOf(owners))
      );
    },
    add(owner, members, prefix) {
      for (const own of byStep(members)) take({ owner, members: own }, prefix);
    },
    take,
    move(owner, most, to, prefix) {
      let moved = 0;
      for (let at = rows.length - 1; at >= 0; at--) {
        const row = rows[at] as ActiveRow<Owner>;
        if (row.owner !== owner || moved + row.members.length > most) continue;
        to.take(row, prefix, { block: suffixes.block, row: idle + at });
        moved += row.members.length;
        remove(at);
      }
      return moved;
    },
    settle() {
      for (let at = rows.length - 1; at >= 0; at--) {
        const row = rows[at] as ActiveRow<Owner>;
        const [first, ...others] = row.owner.isOver ? [] : byStep(row.members);
        if (first === undefined) {
          remove(at);
          continue;
        }
        row.members = first;
        for (const members of others) {
          suffixes.copy(idle + at);
          rows.push({ owner: row.owner, members });
        }
      }
      reserve(countMembers(), groups);
    },
    run: () => {
      const commonOf = groups.map((_, group) => shared.indexOf(commonOfGroup[group] as KvBlock | null));
      return runPass(session, { rows, groups, commonOf, idle, commons, prefixes, suffixes, room });
    },
  };
}

/** Members that go on, those with the same step together. */
function byStep(members: readonly Member[]): Member[][] {
  const ways = new Map<string, Member[]>();
  for (const member of members) {
    if (member.step === null) continue;
    const key = `${member.step.tokenId} ${member.step.isLast}`;
    const others = ways.get(key);
    if (others === undefined) ways.set(key, [member]);
    else others.push(member);
  }
  return [...ways.values()];
}

function moveLastTo<T>(items: T[], index: number): void {
  const last = items.pop() as T;
  if (index < items.length) items[index] = last;
}

/** The logits that any member of a row needs. */
function joinReaches<Owner extends BatchOwner>({ owner, members }: ActiveRow<Owner>): LogitReach {
  const reaches = members.map(({ index }) => owner.job.reach(index));
  return {
    window: Math.max(...reaches.map(({ window }) => window)),
    share: Math.max(...reaches.map(({ share }) => share)),
    whole: reaches.some(({ whole }) => whole),
  };
}

const IDLE_TOKEN = 0;

interface BatchState<Owner extends BatchOwner> {
  readonly rows: readonly ActiveRow<Owner>[];
  readonly groups: readonly Owner[];
  /** Of each group, its place among the commons. */
  readonly commonOf: readonly number[];
  readonly idle: number;
  readonly commons: KvRows;
  readonly prefixes: KvRows;
  readonly suffixes: KvRows;
  readonly room: ReturnType<typeof createKvStepRoom>;
}

async function runPass<Owner extends BatchOwner>(
  session: DecoderSession,
  { rows, groups, commonOf, idle, commons, prefixes, suffixes, room }: BatchState<Owner>,
): Promise<PassOutcome<Owner>> {
  const idles = Array.from({ length: idle }, (_, index) => index);
  const at = rows.map((row, index) => ({
    row,
    index: idle + index,
    step: row.members[0]?.step as RowStep,
    job: row.owner.job,
  }));
  const groupOf = rows.map(({ owner }) => groups.indexOf(owner));
  const predicting = at
    .filter(({ step }) => !step.isLast)
    .map((each) => ({ ...each, reach: joinReaches(each.row) }));
  const tracing = at.filter(({ job }) => job.layers.length > 0);
  const layers = [...new Set(tracing.flatMap(({ job }) => job.layers))];
  const kv = room(idle + rows.length, 1);
  const pass = await session.run({
    tokenIds: [...idles.map(() => IDLE_TOKEN), ...at.map(({ step }) => step.tokenId)],
    rows: idle + rows.length,
    common: commons.block,
    commonOf: [...idles.map(() => 0), ...groupOf.map((group) => commonOf[group] as number)],
    prefix: prefixes.block,
    groupOf: [...idles, ...groupOf.map((group) => idle + group)],
    suffix: suffixes.block,
    logitRows: predicting.map(({ index }) => index),
    drawings: predicting.map(({ job: { temperature }, reach }) => ({ temperature, ...reach })),
    traceRows: tracing.map(({ index }) => index),
    layers,
    finalNorm: false,
    kv,
  });
  suffixes.append(kv, idle);
  const { hiddenSize } = session.config;
  const residuals = new Map<ActiveRow<Owner>, Float32Array>();
  for (const [traced, { row, job }] of tracing.entries()) {
    const own = job.layers.map((layer) => pass.residuals[layers.indexOf(layer)] as Float32Array);
    residuals.set(row, stateAt(own, traced, hiddenSize));
  }
  const size = session.config.vocabularySize;
  return {
    predicted: predicting.map(({ row, reach }, index) => ({
      row,
      prediction: predictNext(pass.predicted[index] as DrawnSums, {
        whole: reach.whole ? pass.logits.subarray(index * size, (index + 1) * size) : null,
        residual: residuals.get(row) ?? null,
      }),
    })),
    closed: at.flatMap(({ row, step }) =>
      step.isLast ? [{ row, residual: residuals.get(row) as Float32Array }] : [],
    ),
  };
}
