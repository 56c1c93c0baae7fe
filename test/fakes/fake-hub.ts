import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { etagOf, type FakeCommit, type FakeFile, type FakeModel } from "./fake-model.ts";

/** A request that the fake hub or its storage server got. */
export interface SeenRequest {
  readonly server: "hub" | "cdn";
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly range: string | null;
  readonly authorization: string | null;
}

/** Something that goes wrong instead of, or during, an answer. */
export interface Fault {
  /** Answer with this status. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Send this many bytes of the body, then cut the connection. */
  readonly dropAfter?: number;
  /** Send this many bytes of the body and end the answer as if that were all. */
  readonly endAfter?: number;
  /** Send this many bytes of the body, and then nothing more while the connection stays. */
  readonly holdAfter?: number;
  /** Send other bytes than the file's. */
  readonly corrupt?: boolean;
  /** Send all of the file although a part was asked for. */
  readonly ignoreRange?: boolean;
  /** Wait for this before the answer. */
  readonly wait?: Promise<void>;
}

export interface FakeHubOptions {
  /** What goes wrong with a request; null for nothing. */
  readonly fault?: (request: SeenRequest) => Fault | null;
  /** Old name -> new name of models that were renamed. */
  readonly renamed?: Readonly<Record<string, string>>;
  /** The port of the hub; a free one by default. */
  readonly port?: number;
}

/** Tokens that the fake hub knows; any other is refused. */
export const FAKE_TOKENS = { granted: "hf_granted", stranger: "hf_stranger" } as const;

export interface FakeHub extends AsyncDisposable {
  /** Address for `HF_ENDPOINT`. */
  readonly endpoint: string;
  readonly requests: readonly SeenRequest[];
  /** Forget the requests so far. */
  readonly clear: () => void;
}

/**
 * A Hugging Face hub on this machine with the answers and headers of the real one: a model's files and commit,
 * small files by way of `/api/resolve-cache`, large ones from a storage server on another port.
 * @see https://huggingface.co/docs/hub/api, and what huggingface_hub's `file_download.py` expects
 */
export async function startFakeHub(
  models: readonly FakeModel[],
  { fault = () => null, renamed = {}, port = 0 }: FakeHubOptions = {},
): Promise<FakeHub> {
  const requests: SeenRequest[] = [];
  const note = (server: SeenRequest["server"], { method = "", url = "", headers }: IncomingMessage) => {
    const seen: SeenRequest = {
      server,
      method,
      path: decodeURIComponent(new URL(url, "http://fake").pathname),
      range: headers.range ?? null,
      authorization: headers.authorization ?? null,
    };
    requests.push(seen);
    return seen;
  };
  const cdn = await listen(0, async (request, response) => {
    const seen = note("cdn", request);
    await answer(response, seen, fault(seen), serveCdn(models, seen));
  });
  const hub = await listen(port, async (request, response) => {
    const seen = note("hub", request);
    await answer(response, seen, fault(seen), serveHub(models, renamed, addressOf(cdn), seen));
  });
  return {
    endpoint: addressOf(hub),
    requests,
    clear: () => {
      requests.length = 0;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([close(hub), close(cdn)]);
    },
  };
}

interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

function serveHub(
  models: readonly FakeModel[],
  renamed: Readonly<Record<string, string>>,
  cdn: string,
  request: SeenRequest,
): Answer {
  const { path, authorization } = request;
  for (const [from, to] of Object.entries(renamed)) {
    if (path.includes(`/${from}/`)) return { status: 307, headers: { location: path.replace(from, to) } };
  }
  const token = authorization?.replace(/^Bearer /, "") ?? null;
  if (token !== null && !(Object.values(FAKE_TOKENS) as string[]).includes(token)) {
    return refuse(401, null, "Invalid credentials in Authorization header");
  }
  const isDataset = /^\/(?:api\/|api\/resolve-cache\/)?datasets\//.test(path);
  const model = models.find(
    ({ id, kind }) =>
      (kind === "dataset") === isDataset && (path.includes(`/${id}/`) || path.endsWith(`/${id}`)),
  );
  if (model === undefined || (model.access === "private" && token !== FAKE_TOKENS.granted)) {
    // without a token the hub does not tell a missing model from a private one
    return token === null
      ? refuse(401, "RepoNotFound", "Invalid username or password.")
      : refuse(404, "RepoNotFound", "Repository not found");
  }
  const [, kind, rest = ""] = path.split(
    new RegExp(
      `^/(?:datasets/|api/(?:models|datasets)/|api/(resolve-cache)/(?:models|datasets)/)?${model.id}/?(?:revision/|tree/|resolve/)?`,
    ),
  );
  const isApi = /^\/api\/(?:models|datasets)\//.test(path);
  const isInfo = isApi && !path.includes("/tree/");
  const revision = isInfo ? rest || "main" : (rest.split("/")[0] as string);
  const commit = model.commits.get(model.refs.get(revision) ?? revision);
  if (commit === undefined) return refuse(404, "RevisionNotFound", `Invalid rev id: ${revision}`);
  if (isInfo) return json(describeModel(model, commit));
  const name = rest.slice(revision.length + 1);
  if (isApi) {
    // of folders, the fake models have the root only
    return name === "" ? json(describeTree(commit)) : refuse(404, "EntryNotFound", `${name} does not exist`);
  }
  if (model.access === "gated" && token !== FAKE_TOKENS.granted) {
    return token === null
      ? refuse(401, "GatedRepo", `Access to model ${model.id} is restricted. Please log in.`)
      : refuse(
          403,
          "GatedRepo",
          `Access to model ${model.id} is restricted. Visit its page to ask for access.`,
        );
  }
  const file = commit.files.get(name);
  const common = { "x-repo-commit": commit.hash, "accept-ranges": "bytes" };
  if (file === undefined) {
    const { status, headers, body } = refuse(404, "EntryNotFound", "Entry not found");
    return { status, headers: { ...headers, ...common }, ...(body === undefined ? {} : { body }) };
  }
  const linked = {
    ...common,
    "x-linked-size": String(file.content.length),
    "x-linked-etag": `"${etagOf(file)}"`,
  };
  if (kind === "resolve-cache") {
    return { status: 200, headers: { ...common, etag: `"${file.gitSha1}"` }, body: file.content };
  }
  const location = file.isLarge
    ? `${cdn}/repos/${file.sha256}?X-Amz-Signature=fake`
    : `/api/resolve-cache/${isDataset ? "datasets" : "models"}/${model.id}/${commit.hash}/${name}?etag=%22${file.gitSha1}%22`;
  return { status: file.isLarge ? 302 : 307, headers: { ...linked, location } };
}

/** Storage servers take either a signed address or a header, and refuse both at once. */
function serveCdn(models: readonly FakeModel[], { path, authorization }: SeenRequest): Answer {
  if (authorization !== null) return { status: 400, body: Buffer.from("Only one auth mechanism allowed") };
  const wanted = path.replace("/repos/", "");
  const file = models
    .flatMap(({ commits }) => [...commits.values()])
    .flatMap(({ files }) => [...files.values()])
    .find(({ sha256 }) => sha256 === wanted);
  if (file === undefined) return { status: 404 };
  return { status: 200, headers: { etag: '"not-the-hubs-etag"' }, body: file.content };
}

const describeModel = ({ id, access }: FakeModel, { hash, files }: FakeCommit): unknown => ({
  _id: "0123456789abcdef01234567",
  id,
  modelId: id,
  private: access === "private",
  gated: access === "gated" ? "manual" : false,
  disabled: false,
  sha: hash,
  tags: ["safetensors", "text-generation"],
  pipeline_tag: "text-generation",
  siblings: [...files.keys()].map((rfilename) => ({ rfilename })),
});

const describeTree = ({ files }: FakeCommit): unknown =>
  [...files].map(([path, { content, gitSha1, sha256, isLarge }]: [string, FakeFile]) => ({
    type: "file",
    oid: gitSha1,
    size: content.length,
    path,
    ...(isLarge ? { lfs: { oid: sha256, size: content.length, pointerSize: 134 } } : {}),
  }));

const json = (value: unknown): Answer => ({
  status: 200,
  headers: { "content-type": "application/json; charset=utf-8" },
  body: Buffer.from(JSON.stringify(value)),
});

const refuse = (status: number, code: string | null, message: string): Answer => ({
  status,
  headers: { "x-error-message": message, ...(code === null ? {} : { "x-error-code": code }) },
  body: Buffer.from(JSON.stringify({ error: message })),
});

async function answer(
  response: ServerResponse,
  { method, range }: SeenRequest,
  fault: Fault | null,
  { status, headers = {}, body = Buffer.alloc(0) }: Answer,
): Promise<void> {
  await fault?.wait;
  if (fault?.status !== undefined) {
    response.writeHead(fault.status, { "content-length": "0", ...fault.headers }).end();
    return;
  }
  const start = Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1] ?? 0);
  const isPart = start > 0 && status === 200 && fault?.ignoreRange !== true;
  if (isPart && start >= body.length) {
    response.writeHead(416, { "content-range": `bytes */${body.length}` }).end();
    return;
  }
  const sent = Buffer.from(isPart ? body.subarray(start) : body);
  if (fault?.corrupt) sent.fill(0x2a);
  const part = isPart ? { "content-range": `bytes ${start}-${body.length - 1}/${body.length}` } : {};
  const cut = fault?.endAfter ?? fault?.dropAfter ?? fault?.holdAfter;
  const length = fault?.endAfter === undefined ? { "content-length": String(sent.length) } : {};
  response.writeHead(isPart ? 206 : status, { ...headers, ...part, ...length });
  if (method === "HEAD") response.end();
  else if (cut === undefined) response.end(sent);
  else if (fault?.endAfter !== undefined) response.end(sent.subarray(0, cut));
  else response.write(sent.subarray(0, cut), () => fault?.dropAfter !== undefined && response.destroy());
}

function listen(
  port: number,
  serve: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
): Promise<Server> {
  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  return new Promise((settle, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => settle(server));
  });
}

const addressOf = (server: Server): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

function close(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((settle) => server.close(() => settle()));
}
