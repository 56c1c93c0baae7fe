/** A token as people can see it: what is not printed gets a sign. */
export const showToken = (text: string): string =>
  text.replace(/\n/g, "⏎").replace(/^ | $/g, "␣").replace(/\t/g, "⇥") || "∅";

/** A token as it is read out. */
export const nameToken = (text: string): string =>
  /^\n+$/.test(text) ? "line break" : text.trim() === "" ? "space" : text.trim();
