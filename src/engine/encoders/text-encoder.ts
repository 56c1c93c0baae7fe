import type { TemplatePiece, TextTemplate } from "../tokenizer/text-template.ts";
import type { TextTokenizer } from "../tokenizer/text-tokenizer.ts";
import type { EncoderInput } from "./encoder-session.ts";

/** One text, or two that are read together. */
export type TextInput = string | readonly [first: string, second: string];

/** A text as a model takes it. */
export interface EncodedText extends EncoderInput {
  /** It was longer than the model takes, and its end was cut off. */
  readonly truncated: boolean;
}

export interface TextEncoderParts {
  readonly tokenizer: TextTokenizer;
  readonly template: TextTemplate;
  /** With the model's own tokens. */
  readonly maxTokens: number;
}

/**
 * Turns texts into tokens within a model's frame. Of two texts that are too long together, the longer one is cut, and
 * both to the same length if that is not enough.
 */
export function encodeTexts(
  { tokenizer, template, maxTokens }: TextEncoderParts,
  inputs: readonly TextInput[],
): EncodedText[] {
  // a text occurs in many pairs
  const known = new Map<string, readonly number[]>();
  const encode = (text: string): readonly number[] => {
    const tokenIds = known.get(text) ?? tokenizer.encode(text, { specialTokens: false });
    known.set(text, tokenIds);
    return tokenIds;
  };
  const room = (pieces: readonly TemplatePiece[]): number =>
    maxTokens - pieces.reduce((sum, piece) => sum + ("tokenIds" in piece ? piece.tokenIds.length : 0), 0);
  const rooms = { single: room(template.single), pair: room(template.pair) };
  return inputs.map((input) => {
    if (typeof input === "string") {
      const tokens = encode(input);
      return frame(template.single, { first: tokens.slice(0, rooms.single), second: [] }, [tokens]);
    }
    const [first, second] = input.map(encode) as [readonly number[], readonly number[]];
    const [a, b] = cutLongest(first.length, second.length, rooms.pair);
    return frame(template.pair, { first: first.slice(0, a), second: second.slice(0, b) }, [first, second]);
  });
}

interface Texts {
  readonly first: readonly number[];
  readonly second: readonly number[];
}

function frame(
  pieces: readonly TemplatePiece[],
  texts: Texts,
  whole: readonly (readonly number[])[],
): EncodedText {
  const tokenIds: number[] = [];
  const tokenTypes: number[] = [];
  for (const piece of pieces) {
    for (const id of "tokenIds" in piece ? piece.tokenIds : texts[piece.text]) {
      tokenIds.push(id);
      tokenTypes.push(piece.type);
    }
  }
  const kept = texts.first.length + texts.second.length;
  return { tokenIds, tokenTypes, truncated: kept < whole.reduce((sum, { length }) => sum + length, 0) };
}

/**
 * Lengths to which two texts are cut to fit together, as Python's tokenizers do with `longest_first`.
 * @returns at most `room` in sum
 */
export function cutLongest(first: number, second: number, room: number): [first: number, second: number] {
  if (first + second <= room) return [first, second];
  const shorter = Math.min(first, second);
  // the longer one alone is cut while it stays the longer one
  const rest = room - shorter;
  const [short, long] = rest >= shorter ? [shorter, rest] : [Math.floor(room / 2), Math.ceil(room / 2)];
  return first <= second ? [short, long] : [long, short];
}
