/**
 * Hidden states of N tokens, layer by layer, as a pass computes them and a file stores them: per layer [N, D]. Gigabytes of
 * states go from one to the other without being copied to another layout in between.
 */
export type LayerStates = readonly Float32Array[];

/**
 * The state of one token.
 * @param hiddenSize D
 * @returns [layers, D], a copy
 */
export function stateAt(states: LayerStates, token: number, hiddenSize: number): Float32Array {
  const state = new Float32Array(states.length * hiddenSize);
  for (const [l, ofLayer] of states.entries())
    state.set(ofLayer.subarray(token * hiddenSize, (token + 1) * hiddenSize), l * hiddenSize);
  return state;
}

/** @returns [N, layers, D], a copy */
export function joinTokens(states: LayerStates, hiddenSize: number): Float32Array {
  const width = states.length * hiddenSize;
  const count = (states[0]?.length ?? 0) / hiddenSize;
  const joined = new Float32Array(count * width);
  for (let token = 0; token < count; token++) joined.set(stateAt(states, token, hiddenSize), token * width);
  return joined;
}

/**
 * States of single tokens, side by side.
 * @param tokens each [layers, D]
 */
export function stackStates(tokens: readonly Float32Array[], layerCount: number): LayerStates {
  const hiddenSize = (tokens[0]?.length ?? 0) / layerCount;
  return Array.from({ length: layerCount }, (_, l) => {
    const ofLayer = new Float32Array(tokens.length * hiddenSize);
    for (const [i, state] of tokens.entries())
      ofLayer.set(state.subarray(l * hiddenSize, (l + 1) * hiddenSize), i * hiddenSize);
    return ofLayer;
  });
}
