import type { Context } from "hono";
import { ApiError } from "./api-error.ts";

/** @throws ApiError 400 for a body that is not JSON, 415 for one that says it is something else */
export async function readJson(c: Context): Promise<unknown> {
  const type = c.req.header("content-type")?.split(";")[0]?.trim().toLowerCase();
  if (type !== "application/json")
    throw new ApiError(415, "POST needs Content-Type: application/json.", { code: "bad_content_type" });
  const text = await c.req.text();
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ApiError(400, `The body is not JSON: ${(error as Error).message}`, { code: "bad_json" });
  }
}
