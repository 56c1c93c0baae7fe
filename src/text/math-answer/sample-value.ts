/**
 * A value for a symbol, to try a formula with: the same for the same name and point, 0.3 to 2.3 in size, with nine
 * digits. Over points 0 to 3 each symbol has both signs, and two symbols have them in different order, as a rule.
 */
export function sampleValue(name: string, point: number): string {
  let hash = BASIS ^ Math.imul(point + 1, 0x9e3779b1);
  for (const char of name) hash = mix(hash, char);
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
  const size = 0.3 + (2 * ((hash ^ (hash >>> 13)) >>> 0)) / 2 ** 32;
  const signs = SIGNS[([...name].reduce(mix, BASIS) >>> 7) % SIGNS.length] as string;
  return `${signs[point % signs.length] === "-" ? "-" : ""}${size.toFixed(9)}`;
}

/** FNV-1a, 32 bits. */
const BASIS = 0x811c9dc5;
const mix = (hash: number, char: string): number =>
  Math.imul(hash ^ (char.codePointAt(0) as number), 0x01000193);

const SIGNS = ["+-+-", "++--", "+--+", "-+-+", "--++", "-++-"];
