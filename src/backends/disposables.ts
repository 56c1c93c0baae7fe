/** Resources that are disposed of together, the last one first. Node 20 has no `AsyncDisposableStack`. */
export interface Disposables extends AsyncDisposable {
  /** @returns the same thing */
  use<Thing extends AsyncDisposable>(thing: Thing): Thing;
  defer(end: () => Promise<void>): void;
}

export function createDisposables(): Disposables {
  const ends: (() => Promise<void>)[] = [];
  return {
    use(thing) {
      ends.push(async () => thing[Symbol.asyncDispose]());
      return thing;
    },
    defer: (end) => void ends.push(end),
    async [Symbol.asyncDispose]() {
      let failure: { readonly error: unknown } | null = null;
      for (const end of ends.splice(0).reverse()) {
        // a failure must not keep the others open
        await end().catch((error: unknown) => {
          failure ??= { error };
        });
      }
      if (failure !== null) throw (failure as { readonly error: unknown }).error;
    },
  };
}
