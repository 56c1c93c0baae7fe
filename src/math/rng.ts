/** A seeded stream of random numbers. */
export interface Rng {
  /** Next number in [0, 1), 53 bits. */
  next(): number;
  /** Next integer in [0, bound). */
  integer(bound: number): number;
}

/**
 * A seeded random stream (xoshiro128**), independent for every different list of keys. Equal keys give equal
 * streams on every machine, so a sample's stream depends on its own identity only, never on draw order.
 * @param keys e.g. (seed, question id, run id)
 * @see Blackman and Vigna 2021, "Scrambled linear pseudorandom number generators"
 */
export function createRng(...keys: readonly (string | number)[]): Rng {
  const nextWord = xoshiro128(seedWords(keys.map((key) => `${typeof key}:${key}`).join("\u0000")));
  const next = (): number => {
    const high = nextWord() >>> 5;
    const low = nextWord() >>> 6;
    return (high * 2 ** 26 + low) / 2 ** 53;
  };
  return { next, integer: (bound) => Math.floor(next() * bound) };
}

/**
 * A copy of `items` in random order (Fisher-Yates).
 */
export function shuffle<T>(items: readonly T[], rng: Rng): T[] {
  const shuffled = [...items];
  for (let i = shuffled.length - 1; i > 0; i--) {
    const j = rng.integer(i + 1);
    const held = shuffled[i] as T;
    shuffled[i] = shuffled[j] as T;
    shuffled[j] = held;
  }
  return shuffled;
}

/** Four well-mixed 32-bit words from a text: FNV-1a per word with its own offset, then the murmur3 finaliser. */
function seedWords(text: string): Uint32Array {
  const words = new Uint32Array(4);
  for (let w = 0; w < 4; w++) {
    let hash = (0x811c9dc5 ^ Math.imul(w + 1, 0x9e3779b9)) >>> 0;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      hash = Math.imul(hash ^ (unit & 0xff), 0x01000193);
      hash = Math.imul(hash ^ (unit >>> 8), 0x01000193);
    }
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    words[w] = (hash ^ (hash >>> 16)) >>> 0;
  }
  if (words.every((word) => word === 0)) words[0] = 1; // the all-zero state is a fixed point
  return words;
}

function xoshiro128(state: Uint32Array): () => number {
  let [a, b, c, d] = state as unknown as [number, number, number, number];
  return () => {
    const result = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0;
    const t = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = rotateLeft(d, 11);
    return result;
  };
}

const rotateLeft = (word: number, bits: number): number => (word << bits) | (word >>> (32 - bits));
