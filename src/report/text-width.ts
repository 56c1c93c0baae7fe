/**
 * About how wide a text is in a sans-serif font, in ems: rather too wide than too narrow, since nobody knows the
 * reader's font.
 */
export const textWidth = (text: string): number =>
  [...text].reduce((sum, character) => sum + widthOf(character), 0);

function widthOf(character: string): number {
  if (/[ijlI.,:;'|!()[\] ftr/-]/.test(character)) return 0.36;
  if (/[mwMW@%]/.test(character)) return 0.95;
  if (/[A-Z]/.test(character)) return 0.72;
  return character.charCodeAt(0) < FIRST_WIDE ? 0.61 : 1.05;
}

/** Scripts from here on, Hangul and Chinese among them, fill the square. */
const FIRST_WIDE = 0x1100;

/** Breaks a text at spaces into lines of at most `width` ems; a longer word stands alone. */
export function wrapText(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const joined = `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && textWidth(joined) <= width) lines[lines.length - 1] = joined;
    else lines.push(word);
  }
  return lines;
}

/** A text of at most `width` ems: its beginning and its end, around an ellipsis, where it is longer. */
export function shorten(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  const characters = [...text];
  for (let kept = characters.length - 1; kept > 2; kept--) {
    const shown = `${characters.slice(0, Math.ceil(kept / 2)).join("")}…${characters.slice(-Math.floor(kept / 2)).join("")}`;
    if (textWidth(shown) <= width) return shown;
  }
  return "…";
}
