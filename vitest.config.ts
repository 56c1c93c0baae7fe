import { fileURLToPath } from "node:url";
import { defineConfig, type ViteUserConfig } from "vitest/config";

/** Sources under the names that packages import each other by: what is built is for tests of the command. */
const alias = [
  ["semantic-entropy-probes", "src/index.ts"],
  ["semantic-entropy-probes/engine", "src/engine/engine.ts"],
  ["semantic-entropy-probes/probe", "src/probes/portable-probe.ts"],
  ["semantic-entropy-probes/entropy", "src/entropy/portable-entropy.ts"],
  ["semantic-entropy-probes/files", "src/files.ts"],
  ["semantic-entropy-probes/serve", "src/serve.ts"],
  ["semantic-entropy-probes/ai-sdk", "src/ai-sdk.ts"],
].map(([name, path]) => ({
  find: new RegExp(`^${name}$`),
  replacement: fileURLToPath(new URL(path as string, import.meta.url)),
}));

const config: ViteUserConfig = defineConfig({
  resolve: { alias },
  test: {
    include: ["{src,test}/**/*.test.ts", "{packages,apps}/*/{src,test}/**/*.test.ts"],
    globalSetup: ["test/own-temp-folder.ts", "test/build-package.ts"],
    pool: "forks",
    maxWorkers: 2,
    // no file leaves anything changed that another sees, so that they share two processes, which load every module once
    isolate: false,
    testTimeout: 120_000,
    hookTimeout: 60_000,
    // browsers and child processes on a busy machine
    expect: { poll: { timeout: 20_000 } },
    tags: [{ name: "long", description: "takes longer than a change can wait for: npm run test:long" }],
  },
});

export default config;
