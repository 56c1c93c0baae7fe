/** Functions by the names and commands they go under, and the names they are known by here. */
export const FUNCTIONS: ReadonlyMap<string, string> = new Map([
  ...["sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh"].map((name) => [name, name] as const),
  ...["ln", "log", "lg", "exp", "abs", "gcd", "lcm", "max", "min"].map((name) => [name, name] as const),
  ["cosec", "csc"],
  ["arcsin", "asin"],
  ["arccos", "acos"],
  ["arctan", "atan"],
  ["asin", "asin"],
  ["acos", "acos"],
  ["atan", "atan"],
  ["sqrt", "sqrt"],
  ["cbrt", "cbrt"],
  ["floor", "floor"],
  ["ceil", "ceiling"],
]);

/** Those of an angle, within which a degree is pi/180. */
export const ANGLE_FUNCTIONS: ReadonlySet<string> = new Set(["sin", "cos", "tan", "cot", "sec", "csc"]);

export const CONSTANTS: ReadonlyMap<string, "pi" | "e" | "i" | "infinity"> = new Map([
  ["pi", "pi"],
  ["e", "e"],
  ["i", "i"],
  ["imath", "i"],
  ["infty", "infinity"],
  ["infinity", "infinity"],
  ["inf", "infinity"],
]);

/** Commands that stand for a symbol. */
export const SYMBOL_COMMANDS: ReadonlySet<string> = new Set(
  (
    "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi rho sigma tau " +
    "upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Sigma Phi Psi Omega ell hbar " +
    "mathbbN mathbbZ mathbbQ mathbbC"
  ).split(" "),
);

export const CURRENCIES: ReadonlyMap<string, string> = new Map([
  ["\\$", "dollar"],
  ["€", "euro"],
  ["£", "pound"],
  ["¥", "yen"],
  ["₹", "rupee"],
]);

/** Words before a number that say nothing about it. */
export const ADVERBS: ReadonlySet<string> = new Set(
  "approximately approx about roughly around exactly only just".split(" "),
);

export const SEPARATOR_WORDS: ReadonlySet<string> = new Set(["or", "and"]);

export const PERCENT_WORDS: ReadonlySet<string> = new Set(["percent", "percentage", "pct"]);

/** Words after a number that multiply it. */
export const SCALES: ReadonlyMap<string, number> = new Map([
  ["dozen", 12],
  ["hundred", 1e2],
  ["thousand", 1e3],
  ["million", 1e6],
  ["billion", 1e9],
  ["trillion", 1e12],
]);

/**
 * Letters side by side that are a product of symbols: `xy`, `abc`, `bi`, `xe`. Of longer ones only what has no vowel
 * or what x, y and z mark as algebra; the rest are words.
 */
export const isProductOfSymbols = (word: string): boolean =>
  /^(?:[a-df-hj-np-tv-z]{2}|[b-df-hj-np-tv-z][ei]|[ei][b-df-hj-np-tv-z]|[b-df-hj-np-tv-z]{3,4}|(?=[abc]*[xyz])[abcxyz]{3})$/.test(
    word,
  );

/** Two to four capitals are one symbol, as the points of a segment are. */
export const isPointNames = (word: string): boolean => /^[A-Z]{2,4}$/.test(word);
