/** Runs an opening to its end, whatever it yields. @returns what it opened */
export async function finishOpening<Opened>(opening: AsyncGenerator<unknown, Opened>): Promise<Opened> {
  for (;;) {
    const next = await opening.next();
    if (next.done) return next.value;
  }
}
