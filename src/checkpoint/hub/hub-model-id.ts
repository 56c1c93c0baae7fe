/** A model on the hub, or a data set, at a branch, a tag or a commit. */
export interface HubModelId {
  /** A model where it is not given. */
  readonly kind?: HubRepoKind;
  /** `org/name`, or `name` for the few that have no organisation. */
  readonly repo: string;
  /** A branch, tag, pull request (`refs/pr/1`) or commit hash. */
  readonly revision: string;
}

/** What a repository of the hub holds. */
export type HubRepoKind = "model" | "dataset";

/** In front of a repository's name in the hub's addresses: `datasets/` of a data set. */
export const repoPath = ({ kind, repo }: HubModelId): string =>
  kind === "dataset" ? `datasets/${repo}` : repo;

const DEFAULT_REVISION = "main";
/** The hub's bound on each part of a repository's name. */
const MAX_NAME_LENGTH = 96;

/**
 * Reads `org/name`, `name`, `org/name@revision`.
 * @returns null if the text cannot be the id of a model
 * @see huggingface_hub's `validate_repo_id`, and git-check-ref-format(1) for the revision
 */
export function parseHubModelId(text: string): HubModelId | null {
  const at = text.indexOf("@");
  const repo = at === -1 ? text : text.slice(0, at);
  const revision = at === -1 ? DEFAULT_REVISION : text.slice(at + 1);
  return isRepoName(repo) && isRevision(revision) ? { repo, revision } : null;
}

/** Whether a revision is a whole commit hash, which never moves. */
export const isCommitHash = (revision: string): boolean => /^[0-9a-f]{40}$/.test(revision);

/** `org/name@revision`; without the revision where it is the default one. */
export const formatHubModelId = ({ repo, revision }: HubModelId): string =>
  revision === DEFAULT_REVISION ? repo : `${repo}@${revision}`;

/** "--" is kept for the cache's folder names, ".." would leave them. */
function isRepoName(repo: string): boolean {
  const parts = repo.split("/");
  return (
    parts.length <= 2 &&
    parts.every((part) => part.length <= MAX_NAME_LENGTH && /^\w([\w.-]*\w)?$/.test(part)) &&
    !/--|\.\.|\.git$/.test(repo)
  );
}

/** A revision becomes a path below `refs/`, so what git allows there is also what keeps it there. */
function isRevision(revision: string): boolean {
  return (
    /^[\w.@+/#=,%-]+$/.test(revision) &&
    !revision.startsWith("-") &&
    !revision.includes("..") &&
    revision.split("/").every((part) => part !== "" && !part.startsWith(".") && !/(\.lock|\.)$/.test(part))
  );
}
