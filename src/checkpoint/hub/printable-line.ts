/**
 * Somebody else's text, such as a server's message, for a terminal: printable, on one line, and not too long.
 * Control characters could move the cursor or change what is shown.
 */
export function printableLine(text: string | null, maxLength: number = MAX_LENGTH): string {
  const printable = (text ?? "").replace(/[^\x20-\x7e\u00a0-\uffff]+/g, " ").trim();
  return printable.length <= maxLength ? printable : `${printable.slice(0, maxLength)}…`;
}

const MAX_LENGTH = 200;
