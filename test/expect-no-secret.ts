import { expect } from "vitest";

/** As long as a piece of a secret may be and still say nothing. */
const MAX_PIECE = 11;

/** Fails where any 12 characters of a secret stand in a text, as they are or behind escapes. */
export function expectNoSecret(text: string, secret: string): void {
  const views = [text];
  for (const view of views) {
    const undone = view
      .replace(/%([0-9a-f]{2})|\\u([0-9a-f]{4})/gi, (_, a, b) =>
        String.fromCharCode(Number.parseInt(a ?? b, 16)),
      )
      .replace(/\\(.)/g, "$1")
      .replaceAll("&amp;", "&");
    if (undone !== view && views.length < 5) views.push(undone);
  }
  const length = MAX_PIECE + 1;
  const pieces = Array.from({ length: secret.length - MAX_PIECE }, (_, at) => secret.slice(at, at + length));
  expect(pieces.filter((piece) => views.some((view) => view.includes(piece)))).toEqual([]);
}
