import { execFile } from "node:child_process";
import { chmod, cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { delimiter, join, relative } from "node:path";
import { promisify } from "node:util";

/** What is left when the last stage of a Dockerfile has been built. */
export interface FakeImage {
  /** Folder that stands for `/`. */
  readonly root: string;
  readonly workdir: string;
  readonly env: NodeJS.ProcessEnv;
  readonly entrypoint: readonly string[];
  /** The health check's command. */
  readonly healthcheck: readonly string[];
}

/**
 * Runs the steps of a Dockerfile without Docker: each stage in a folder that stands for its file system, on this machine's
 * Node. Absolute paths of its commands are those below that folder; `chown` does nothing, and npm has this machine's cache.
 * @param context the folder that is built; what its `.dockerignore` leaves out is left out
 * @param scratch a new folder
 * @throws Error if a command fails, or the Dockerfile has an instruction that is not known here
 */
export async function runDockerfile(context: string, scratch: string): Promise<FakeImage> {
  const text = await readFile(join(context, "Dockerfile"), "utf8");
  const lines = text
    .replace(/^\s*#.*\n/gm, "")
    .replace(/\\\n\s*/g, " ")
    .split("\n")
    .filter((line) => line !== "");
  const stages = new Map<string, string>();
  let root = "";
  let workdir = "/";
  let env: NodeJS.ProcessEnv = {};
  let entrypoint: string[] = [];
  let healthcheck: string[] = [];
  const within = (path: string, from = root): string =>
    join(from, path.startsWith("/") ? path : join(workdir, path));
  for (const line of lines) {
    const [, instruction, rest] = /^([A-Z]+) (.*)$/.exec(line) as unknown as [string, string, string];
    switch (instruction) {
      case "FROM": {
        const name = / AS (\S+)$/.exec(rest)?.[1] ?? "image";
        root = join(scratch, name);
        stages.set(name, root);
        workdir = "/";
        env = await startStage(root);
        break;
      }
      case "WORKDIR":
        workdir = rest;
        await mkdir(within(rest), { recursive: true });
        break;
      case "COPY": {
        const [, stage, from, to] = /^(?:--from=(\S+) )?(\S+) (\S+)$/.exec(rest) as unknown as string[];
        if (stage === undefined) await copyContext(context, within(to as string));
        else
          await shell(
            `cp -r ${join(stages.get(stage) as string, from as string)} ${within(to as string)}`,
            root,
            env,
          );
        break;
      }
      case "ENV":
        for (const [, name, value] of rest.matchAll(/(\S+?)=(\S+)/g))
          env[name as string] = value?.replace(/^\//, `${root}/`);
        break;
      case "RUN":
        await shell(rest.replace(/(?<=\s)\/(?=\w)/g, `${root}/`), within("."), env);
        break;
      case "HEALTHCHECK":
        healthcheck = JSON.parse(rest.slice(rest.indexOf("["))) as string[];
        break;
      case "ENTRYPOINT":
        entrypoint = JSON.parse(rest) as string[];
        break;
      case "USER":
      case "VOLUME":
      case "EXPOSE":
        break;
      default:
        throw new Error(`The Dockerfile has an instruction that this test does not know: ${line}`);
    }
  }
  return { root, workdir: within("."), env, entrypoint, healthcheck };
}

/** Folders that the base image has, and its `chown`: users of the image do not exist here. */
async function startStage(root: string): Promise<NodeJS.ProcessEnv> {
  const [local, bin] = [join(root, "usr/local"), join(root, "usr/bin")];
  for (const folder of [local, bin, join(root, "tmp"), join(root, "root/.npm")])
    await mkdir(folder, { recursive: true });
  await writeFile(join(bin, "chown"), "#!/bin/sh\n");
  await chmod(join(bin, "chown"), 0o755);
  return {
    ...process.env,
    PATH: [bin, join(local, "bin"), process.env.PATH].join(delimiter),
    npm_config_prefix: local,
    npm_config_prefer_offline: "true",
  };
}

/** The files that `.dockerignore` lets through: the last rule that matches a path decides. */
async function copyContext(context: string, to: string): Promise<void> {
  const lines = (await readFile(join(context, ".dockerignore"), "utf8"))
    .split("\n")
    .filter((line) => line !== "");
  const rules = lines.map((line) => ({ keeps: line.startsWith("!"), pattern: line.replace(/^!/, "") }));
  const isKept = (path: string): boolean =>
    rules.findLast(({ pattern }) => globOf(pattern).test(path))?.keeps ?? true;
  await cp(context, to, {
    recursive: true,
    filter: (from) => {
      const path = relative(context, from);
      const leadsToKept = rules.some(({ keeps, pattern }) => keeps && pattern.startsWith(`${path}/`));
      return path === "" || leadsToKept || isKept(path);
    },
  });
}

/** What a pattern names, and all that is below it. */
function globOf(pattern: string): RegExp {
  const source = pattern
    .replace(/[.+]/g, "\\$&")
    .replace(/\*\*\/|\*/g, (stars) => (stars === "*" ? "[^/]*" : "(?:.*/)?"));
  return new RegExp(`^${source}(?:/|$)`);
}

async function shell(command: string, cwd: string, env: NodeJS.ProcessEnv): Promise<void> {
  await promisify(execFile)("sh", ["-c", command], { cwd, env, maxBuffer: 2 ** 26 });
}
