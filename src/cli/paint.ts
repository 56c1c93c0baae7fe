import { styleText } from "node:util";
import type { CliContext, OutputStream } from "./command.ts";

/** A colour or weight that `util.styleText` knows. */
export type Style = "bold" | "gray" | "red" | "yellow" | "green" | "cyan";

/** Gives text a style, or leaves it alone. */
export type Paint = (style: Style, text: string) => string;

/**
 * Styles for one stream: on when it is a terminal, unless NO_COLOR is set to anything; FORCE_COLOR turns them
 * on for pipes too.
 * @see https://no-color.org
 */
export function createPaint(stream: OutputStream, env: CliContext["env"]): Paint {
  const forced = env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== "0" && env.FORCE_COLOR !== "";
  const refused = (env.NO_COLOR ?? "") !== "" || env.TERM === "dumb";
  const enabled = !refused && (forced || stream.isTTY === true);
  return enabled
    ? (style, text) => styleText(style, text, { validateStream: false })
    : (_style, text) => text;
}
