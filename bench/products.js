// Products of K [n,n] with few vectors, as one product each and with K packed once: `npm run bench:products`.
//
// Milliseconds are medians of 15 calls. A packed pass has a projection on one direction besides.

import { ortNode } from "../dist/engine/runtime/ort-node.js";
import { createMatrixMultiplier, packPass } from "../dist/probes/products/matrix-multiplier.js";

const CALLS = 15;

async function medianMs(run) {
  await run();
  const times = [];
  for (let call = 0; call < CALLS; call++) {
    const start = performance.now();
    await run();
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b)[(CALLS - 1) / 2];
}

const multiplier = await createMatrixMultiplier(ortNode);
for (const n of [400, 1600, 4000]) {
  const K = Float32Array.from({ length: n * n }, (_, at) => ((at * 7919) % 1009) / 1009 - 0.5);
  const P = K.slice(0, n);
  const matrices = { K, P, Q: P };
  const sizes = { n, k: 1 };
  const openingMs = await medianMs(async () =>
    (await packPass(multiplier, matrices, sizes))[Symbol.asyncDispose](),
  );
  console.log(`${n} rows: packing ${openingMs.toFixed(1)} ms`);
  const pass = await packPass(multiplier, matrices, sizes);
  for (const count of [1, 2, 4, 6, 8, 16]) {
    const x = K.slice(0, count * n);
    const images = new Float32Array(count * n);
    const arrays = {
      count,
      x,
      images,
      factors: new Float32Array(count),
      inside: new Float32Array(count),
      out: new Float32Array(count * n),
    };
    const shape = { m: n, k: n, n: count, transposeB: true };
    const plainMs = await medianMs(() => multiplier.multiply(K, x, images, shape));
    const packedMs = await medianMs(() => pass.run(arrays));
    console.log(`  ${count} vectors: ${plainMs.toFixed(2)} ms, packed ${packedMs.toFixed(2)} ms`);
  }
  await pass[Symbol.asyncDispose]();
}
await multiplier[Symbol.asyncDispose]();
