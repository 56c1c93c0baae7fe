import { SepError } from "../../errors.ts";
import { printableLine } from "../../text/shorten.ts";
import type { Hub } from "./hub.ts";
import { formatHubModelId, type HubModelId, repoPath } from "./hub-model-id.ts";

/** What a request to the hub was about. */
export interface HubSubject extends HubModelId {
  /** A file of the repository; null for the repository itself. */
  readonly file: string | null;
}

/**
 * The error for a status of 4xx. The hub gives the reason in `X-Error-Code`, since the status alone does not tell a
 * missing model from a private one.
 */
export function explainRefusal(
  hub: Hub,
  subject: HubSubject,
  { status, headers }: { readonly status: number; readonly headers: Headers },
): SepError {
  const { endpoint } = hub.settings;
  const { repo, revision, file } = subject;
  const page = `${endpoint}/${repoPath(subject)}`;
  const kind = subject.kind === "dataset" ? "data set" : "model";
  const said = printableLine(hub.redactor.message(headers.get("x-error-message") ?? ""));
  switch (headers.get("x-error-code")) {
    case "GatedRepo":
      return new SepError(
        "gated-model",
        `${repo} is gated: its owners require you to accept their terms. ${
          hub.token === null
            ? `Accept them on ${page}, then set HF_TOKEN to a token of that account (${endpoint}/settings/tokens).`
            : `The account of your token has no access yet: accept the terms on ${page} with it, or set HF_TOKEN to a token of an account that has.`
        }`,
      );
    case "RevisionNotFound":
      return new SepError(
        "revision-not-found",
        `${repo} has no branch, tag or commit "${revision}". Look it up on ${page}/tree/main, or leave out "@${revision}".`,
      );
    case "EntryNotFound":
      return new SepError(
        "hub-file-missing",
        `${formatHubModelId(subject)} has no file ${file ?? ""} on ${endpoint}, though it is needed. Is the upload complete? Look at ${page}/tree/${revision}.`,
      );
    default:
  }
  if (status === 401 && /invalid credentials/i.test(said)) {
    return new SepError(
      "hub-token-refused",
      `${endpoint} does not accept your token (${said}). Set HF_TOKEN to a valid token from ${endpoint}/settings/tokens, or remove it: public models need no token.`,
    );
  }
  if (status === 401 || status === 404) {
    return new SepError(
      "model-not-found",
      `There is no ${kind} ${repo} on ${endpoint}, or it is private. Check the spelling; ${
        hub.token === null
          ? `for a private ${kind} set HF_TOKEN.`
          : `for a private ${kind} the account of your token needs access.`
      }`,
    );
  }
  if (status === 403) {
    return new SepError(
      "hub-token-refused",
      `${endpoint} refuses access to ${repo}${said === "" ? "" : ` (${said})`}. ${
        hub.token === null ? "Set HF_TOKEN." : `Your token may lack the right to read this ${kind}.`
      }`,
    );
  }
  return new SepError(
    "hub-unreachable",
    `${endpoint} answered ${status}${said === "" ? "" : ` (${said})`} when asked for ${file ?? `the ${kind}`} of ${repo}. Is HF_ENDPOINT right?`,
  );
}
