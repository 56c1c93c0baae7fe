import { defineConfig, type ViteUserConfig } from "vitest/config";

/** What takes longer than a change can wait for: `npm run test:long`. */
const config: ViteUserConfig = defineConfig({
  test: {
    globalSetup: ["test/own-temp-folder.ts", "test/build-package.ts"],
    include: ["test/long/**/*.test.ts"],
    testTimeout: 600_000,
    hookTimeout: 60_000,
    pool: "forks",
    maxWorkers: 2,
  },
});

export default config;
