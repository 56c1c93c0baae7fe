import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";

/** A file as the hub stores it. */
export interface FakeFile {
  readonly content: Buffer;
  /** git's SHA-1 of the blob; for large files the hub's own etag is the SHA-256. */
  readonly gitSha1: string;
  readonly sha256: string;
  /** Stored with git LFS, served by the storage server. */
  readonly isLarge: boolean;
}

export interface FakeCommit {
  readonly hash: string;
  readonly files: Map<string, FakeFile>;
}

/** A repository of the fake hub. */
export interface FakeModel {
  /** A model where it is not given. */
  readonly kind?: "dataset";
  readonly id: string;
  readonly access: "public" | "private" | "gated";
  /** Branch or tag -> commit hash. */
  readonly refs: Map<string, string>;
  readonly commits: Map<string, FakeCommit>;
}

export type FakeContents = Readonly<Record<string, string | Uint8Array>>;

/** Tiny weights count as large here, so that both ways of storing a file are met. */
const LARGE_BYTES = 20_000;

/** A model with one commit, `main`. */
export function createFakeModel(
  id: string,
  contents: FakeContents,
  access: FakeModel["access"] = "public",
): FakeModel {
  const model: FakeModel = { id, access, refs: new Map(), commits: new Map() };
  pushCommit(model, contents);
  return model;
}

/** Adds a commit, whose hash depends on the contents alone. @returns its hash */
export function pushCommit(model: FakeModel, contents: FakeContents, ref = "main"): string {
  const files = new Map(Object.entries(contents).map(([name, content]) => [name, createFile(content)]));
  const listing = [...files].map(([name, { sha256 }]) => `${name} ${sha256}`).join("\n");
  const hash = createHash("sha1").update(`${model.id}\n${listing}`).digest("hex");
  model.commits.set(hash, { hash, files });
  model.refs.set(ref, hash);
  return hash;
}

/** A data set: a card on `main`, and its Parquet files on the branch that the hub makes. */
export function createFakeDataset(id: string, parquet: FakeContents): FakeModel {
  const dataset: FakeModel = {
    kind: "dataset",
    id,
    access: "public",
    refs: new Map(),
    commits: new Map(),
  };
  pushCommit(dataset, { "README.md": "# Data\n", ".gitattributes": "*.parquet filter=lfs\n" });
  pushCommit(dataset, parquet, "refs/convert/parquet");
  return dataset;
}

/** The files of a folder, as contents of a commit. */
export function readContents(folder: URL): FakeContents {
  const names = readdirSync(folder).sort();
  return Object.fromEntries(names.map((name) => [name, readFileSync(new URL(name, folder))]));
}

/** The etag that the hub gives a file. */
export const etagOf = ({ isLarge, sha256, gitSha1 }: FakeFile): string => (isLarge ? sha256 : gitSha1);

function createFile(source: string | Uint8Array): FakeFile {
  const content = Buffer.from(source);
  return {
    content,
    gitSha1: createHash("sha1").update(`blob ${content.length}\0`).update(content).digest("hex"),
    sha256: createHash("sha256").update(content).digest("hex"),
    isLarge: content.length >= LARGE_BYTES,
  };
}
