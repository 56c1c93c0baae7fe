import { HTTPException } from "hono/http-exception";
import { z } from "zod";
import { SepError, type SepErrorCode } from "../errors.ts";

/** The error object of OpenAI's API. */
export interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: string;
    /** The field of the body that is wrong. */
    readonly param: string | null;
    readonly code: string | null;
  };
}

interface ErrorParts {
  readonly param?: string | null;
  readonly code?: string | null;
  /** Seconds after which another attempt may succeed. */
  readonly retryAfter?: number;
}

/** A request that is refused. */
export class ApiError extends Error {
  readonly status: number;
  readonly body: ErrorBody;
  readonly retryAfter: number | null;

  constructor(status: number, message: string, { param = null, code = null, retryAfter }: ErrorParts = {}) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.body = { error: { message, type: TYPE_OF[status] ?? "server_error", param, code } };
    this.retryAfter = retryAfter ?? null;
  }
}

const TYPE_OF: Readonly<Record<number, string>> = {
  400: "invalid_request_error",
  401: "authentication_error",
  403: "permission_error",
  404: "not_found_error",
  405: "invalid_request_error",
  409: "conflict_error",
  413: "invalid_request_error",
  415: "invalid_request_error",
  421: "invalid_request_error",
  429: "rate_limit_error",
  503: "service_unavailable_error",
  504: "timeout_error",
};

/** What went wrong, as a refusal; what nobody foresaw is a 500 whose text says nothing of the request. */
export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof z.ZodError) return describeIssue(error);
  if (error instanceof SepError)
    return new ApiError(STATUS_OF[error.code] ?? 500, error.message, {
      code: error.code === "prompt-too-long" ? "context_length_exceeded" : error.code,
      param: error.code === "prompt-too-long" ? "messages" : null,
    });
  if (error instanceof HTTPException) return new ApiError(error.status, error.message);
  if (error instanceof Error && error.name === "TimeoutError")
    return new ApiError(504, "The answer took longer than this server's time limit (--time-limit).", {
      code: "timeout",
    });
  return new ApiError(500, "The server failed to answer this request; its log says why.", {
    code: "internal_error",
  });
}

/** Frames of a failure's stack that a log has. */
const MOST_FRAMES = 3;

/**
 * A failure for the log: its kind, those of its causes, and where it happened. A message may quote a prompt, an answer or
 * what another server made of them, so none is in it; the client has it.
 */
export function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const kinds: string[] = [];
  for (let at: unknown = error; at instanceof Error && kinds.length < MOST_FRAMES; at = at.cause) {
    const code = "code" in at && typeof at.code === "string" ? ` ${at.code}` : "";
    kinds.push(`${at.name}${code}`);
  }
  const frames = (error.stack ?? "")
    .replace(error.message, "")
    .split("\n")
    .filter((line) => /^ {4}at /.test(line))
    .slice(0, MOST_FRAMES);
  return [kinds.join(" < "), ...frames].join("\n");
}

/** A mistake of the caller's, by the code with which the library reports it. */
const STATUS_OF: Partial<Record<SepErrorCode, number>> = {
  "bad-option": 400,
  "prompt-too-long": 400,
  "probe-mismatch": 409,
  "server-unreachable": 502,
  "server-refused": 502,
};

/** The first thing that is wrong with a body, naming its field. */
function describeIssue({ issues: [issue] }: z.ZodError): ApiError {
  if (issue === undefined) return new ApiError(400, "The body is not valid.");
  const field = issue.path.reduce<string>(
    (text, key) =>
      typeof key === "number" ? `${text}[${key}]` : text === "" ? String(key) : `${text}.${String(key)}`,
    "",
  );
  return new ApiError(400, field === "" ? issue.message : `${field}: ${issue.message}`, {
    param: field === "" ? null : field,
    code: "invalid_value",
  });
}
