// Preloaded (node --require) into the process that tries a device: computes on the CPU instead, and then does
// what FAKE_DEVICE says.

const ort = require("onnxruntime-node");

const create = ort.InferenceSession.create;
ort.InferenceSession.create = async (path, { executionProviders: [provider], ...options }) => {
  const session = await create.call(ort.InferenceSession, path, options);
  return provider === "cpu" ? session : { run: async (feeds) => distort(await session.run(feeds)) };
};

function distort(outputs) {
  switch (process.env.FAKE_DEVICE) {
    case "exact":
      return outputs;
    case "half":
      return each(outputs, (value) => value * (1 + 2 ** -9));
    case "lost":
      return each(outputs, () => Number.NaN);
    case "broken":
      console.error(
        "[E:onnxruntime] Failed to load library /opt/a/libproviders.so with error: /opt/b/libcu.so.9: gone",
      );
      throw new Error("/src/provider.cc:12 Get(int) ptr != nullptr was false. It has\n no card");
    case "dead":
      return process.abort();
  }
}

const each = (outputs, change) =>
  Object.fromEntries(Object.entries(outputs).map(([name, { data }]) => [name, { data: data.map(change) }]));
