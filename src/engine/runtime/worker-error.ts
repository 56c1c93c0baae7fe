import { SepError, type SepErrorCode } from "../../errors.ts";

/** An error as plain data: structured clone keeps an Error's message, and loses its class and code. */
export interface PackedError {
  readonly name: string;
  readonly message: string;
  readonly code: SepErrorCode | null;
  readonly stack: string | undefined;
}

export function packError(error: unknown): PackedError {
  const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
  return { name, message, stack, code: error instanceof SepError ? error.code : null };
}

/** The error again, with its class, code and the stack of where it was thrown. */
export function unpackError({ name, message, code, stack }: PackedError): Error {
  const error = code === null ? Object.assign(new Error(message), { name }) : new SepError(code, message);
  if (stack !== undefined) error.stack = stack;
  return error;
}
