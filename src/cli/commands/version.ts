import { ortNode } from "../../engine/runtime/ort-node.ts";
import { readTool } from "../../study/step.ts";
import { type Command, defineCommand } from "../command.ts";
import { OUTPUT } from "../common-settings.ts";
import { EXIT } from "../exit.ts";

/** What a report of a fault should say first. */
export const VERSION: Command = defineCommand({
  name: "version",
  summary: "show the versions of this package, Node and onnxruntime, and the platform",
  options: { json: OUTPUT.json },
  examples: [
    { line: "sep version", meaning: "one line, to be copied into a report of a fault" },
    { line: "sep version --json", meaning: "the same for a script" },
  ],
  async run({ json }, { stdout }) {
    stdout.write(`${json ? JSON.stringify({ kind: "version", ...readVersions() }) : describeVersion()}\n`);
    return EXIT.ok;
  },
});

/** "semantic-entropy-probes 0.2.0, Node 20.20.2, onnxruntime 1.30.0, linux x64" */
export function describeVersion(): string {
  const { name, version, node, onnxruntime, platform } = readVersions();
  return `${name} ${version}, Node ${node}, onnxruntime ${onnxruntime}, ${platform}`;
}

const readVersions = () => ({
  ...readTool(),
  node: process.versions.node,
  onnxruntime: ortNode.version,
  platform: `${process.platform} ${process.arch}`,
});
