/** A backend, and what has to be ended after it. */
export interface OpenBackend<Backend> extends AsyncDisposable {
  readonly backend: Backend;
}
