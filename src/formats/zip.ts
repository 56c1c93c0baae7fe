import { Inflate } from "fflate";
import { shorten } from "../text/shorten.ts";

/**
 * A ZIP archive of uncompressed entries. Equal entries give equal bytes: no clock, no owner, no attributes.
 * @throws RangeError beyond 4 GiB or 65535 entries, which would need ZIP64
 * @see APPNOTE.TXT 6.3.9, PKWARE
 */
export function encodeZip(entries: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const named = [...entries].map(([name, content]) => ({ name: new TextEncoder().encode(name), content }));
  const sizes = named.map(({ name, content }) => LOCAL_BYTES + name.length + content.length);
  const directoryAt = sizes.reduce((sum, size) => sum + size, 0);
  const directorySize = named.reduce((sum, { name }) => sum + CENTRAL_BYTES + name.length, 0);
  for (const size of [...sizes, directoryAt, directorySize])
    if (size >= IN_ZIP64) throw new RangeError(`${size} bytes do not fit a ZIP archive without ZIP64`);
  if (named.length > MOST_ENTRIES)
    throw new RangeError(`${named.length} entries do not fit a ZIP archive without ZIP64`);
  const crc32 = createCrc32();
  const archive = new Uint8Array(directoryAt + directorySize + END_BYTES);
  const view = new DataView(archive.buffer);
  let local = 0;
  let central = directoryAt;
  for (const { name, content } of named) {
    view.setUint32(local, LOCAL_SIGNATURE, true);
    view.setUint16(local + 4, VERSION, true);
    view.setUint16(local + 6, UTF8_NAMES, true);
    view.setUint16(local + 12, EARLIEST_DATE, true);
    view.setUint32(local + 14, crc32(content), true);
    view.setUint32(local + 18, content.length, true);
    view.setUint32(local + 22, content.length, true);
    view.setUint16(local + 26, name.length, true);
    archive.set(name, local + LOCAL_BYTES);
    archive.set(content, local + LOCAL_BYTES + name.length);

    view.setUint32(central, CENTRAL_SIGNATURE, true);
    view.setUint16(central + 4, VERSION, true);
    archive.copyWithin(central + 6, local + 4, local + LOCAL_BYTES); // both headers share these fields
    view.setUint32(central + 42, local, true);
    archive.set(name, central + CENTRAL_BYTES);
    local += LOCAL_BYTES + name.length + content.length;
    central += CENTRAL_BYTES + name.length;
  }
  view.setUint32(central, END_SIGNATURE, true);
  view.setUint16(central + 8, named.length, true);
  view.setUint16(central + 10, named.length, true);
  view.setUint32(central + 12, directorySize, true);
  view.setUint32(central + 16, directoryAt, true);
  return archive;
}

/**
 * The entries of a ZIP archive, stored or deflated, by name. Each is unpacked when it is asked for, and its checksum is
 * verified. ZIP64 sizes are read where an entry has them. Everything that is unpacked together is bounded by the size of
 * the archive, whatever sizes it declares.
 * @throws RangeError if the archive is damaged, encrypted, compressed in another way, or unpacks to too much
 */
export function openZip(archive: Uint8Array): Map<string, () => Uint8Array> {
  const view = new DataView(archive.buffer, archive.byteOffset, archive.byteLength);
  const { count, directory } = findDirectory(view);
  const crc32 = createCrc32();
  const entries = new Map<string, () => Uint8Array>();
  const most = Math.max(ALWAYS_UNPACKED_BYTES, archive.length * MOST_RATIO);
  let unpacked = 0;
  let at = directory;
  for (let i = 0; i < count; i++) {
    if (view.getUint32(at, true) !== CENTRAL_SIGNATURE)
      throw new RangeError(`no directory entry at byte ${at}`);
    const nameLength = view.getUint16(at + 28, true);
    const extraLength = view.getUint16(at + 30, true);
    const extraAt = at + CENTRAL_BYTES + nameLength;
    const name = new TextDecoder().decode(archive.subarray(at + CENTRAL_BYTES, extraAt));
    const [size, packedSize, localAt] = readZip64(view, extraAt, extraAt + extraLength, [
      view.getUint32(at + 24, true),
      view.getUint32(at + 20, true),
      view.getUint32(at + 42, true),
    ]);
    const shown = shorten(name);
    if ((view.getUint16(at + 8, true) & 1) === 1) throw new RangeError(`"${shown}" is encrypted`);
    const begin =
      localAt + LOCAL_BYTES + view.getUint16(localAt + 26, true) + view.getUint16(localAt + 28, true);
    if (begin + packedSize > archive.length)
      throw new RangeError(`"${shown}" continues after the archive's end`);
    const packed = archive.subarray(begin, begin + packedSize);
    const [method, checksum] = [view.getUint16(at + 10, true), view.getUint32(at + 16, true)];
    entries.set(name, () => {
      unpacked += size;
      if (unpacked > most)
        throw new RangeError(
          `"${shown}" makes ${unpacked} bytes of an archive of ${archive.length}, at most ${most} are unpacked`,
        );
      const content = unpack(packed, { method, size, name: shown });
      if (crc32(content) !== checksum) throw new RangeError(`"${shown}" fails its checksum`);
      return content;
    });
    at = extraAt + extraLength + view.getUint16(at + 32, true);
  }
  return entries;
}

const LOCAL_SIGNATURE = 0x04034b50;
const CENTRAL_SIGNATURE = 0x02014b50;
const END_SIGNATURE = 0x06054b50;
const END64_SIGNATURE = 0x06064b50;
const LOCATOR64_SIGNATURE = 0x07064b50;
const LOCAL_BYTES = 30;
const CENTRAL_BYTES = 46;
const END_BYTES = 22;
const MOST_ENTRIES = 0xffff;
const VERSION = 20;
const UTF8_NAMES = 0x800;
/** 1 January 1980, the first day that the format can write. */
const EARLIEST_DATE = 0x21;
const IN_ZIP64 = 0xffffffff;
/** Deflate packs zeros a thousandfold; hidden states hardly at all, padded strings and columns of one value fiftyfold. */
const MOST_RATIO = 100;
/** Whatever the ratio: small archives of nothing but such columns. */
const ALWAYS_UNPACKED_BYTES = 1 << 26;

function findDirectory(view: DataView): { readonly count: number; readonly directory: number } {
  // The end record stands last but for a comment of at most 65535 bytes.
  const earliest = Math.max(0, view.byteLength - END_BYTES - 0xffff);
  for (let at = view.byteLength - END_BYTES; at >= earliest; at--) {
    if (view.getUint32(at, true) !== END_SIGNATURE) continue;
    const count = view.getUint16(at + 10, true);
    const directory = view.getUint32(at + 16, true);
    if (count !== 0xffff && directory !== IN_ZIP64) return { count, directory };
    if (at < 20 || view.getUint32(at - 20, true) !== LOCATOR64_SIGNATURE) break;
    const at64 = Number(view.getBigUint64(at - 12, true));
    if (view.getUint32(at64, true) !== END64_SIGNATURE) break;
    return {
      count: Number(view.getBigUint64(at64 + 32, true)),
      directory: Number(view.getBigUint64(at64 + 48, true)),
    };
  }
  throw new RangeError("no ZIP directory at its end; it was cut off or is no ZIP archive");
}

/** Each 32-bit value that is all ones stands, in this order, in the extra field with id 1. */
function readZip64(
  view: DataView,
  begin: number,
  end: number,
  values: readonly [number, number, number],
): [number, number, number] {
  let at = begin;
  while (at + 4 <= end && view.getUint16(at, true) !== 1) at += 4 + view.getUint16(at + 2, true);
  let next = at + 4;
  const read = (value: number): number => {
    if (value !== IN_ZIP64) return value;
    next += 8;
    if (next > end) throw new RangeError("a ZIP64 size is missing");
    return Number(view.getBigUint64(next - 8, true));
  };
  return [read(values[0]), read(values[1]), read(values[2])];
}

function unpack(
  packed: Uint8Array,
  { method, size, name }: { readonly method: number; readonly size: number; readonly name: string },
): Uint8Array {
  if (method !== 0 && method !== 8) throw new RangeError(`"${name}" is compressed by method ${method}`);
  const content = method === 0 ? packed : inflate(packed, size, name);
  if (content.length !== size)
    throw new RangeError(`"${name}" has ${content.length} bytes, expected ${size}`);
  return content;
}

/** Stops as soon as there is more than the entry declares: neither time nor memory go beyond it. */
function inflate(packed: Uint8Array, size: number, name: string): Uint8Array {
  const content = new Uint8Array(size);
  let length = 0;
  const stream = new Inflate((chunk) => {
    if (length + chunk.length > size)
      throw new RangeError(`"${name}" has ${length + chunk.length} bytes or more, expected ${size}`);
    content.set(chunk, length);
    length += chunk.length;
  });
  try {
    for (let at = 0; at < packed.length; at += SLICE_BYTES)
      stream.push(packed.subarray(at, at + SLICE_BYTES), at + SLICE_BYTES >= packed.length);
  } catch (cause) {
    throw cause instanceof RangeError ? cause : new RangeError(`"${name}" is damaged`, { cause });
  }
  return content.subarray(0, length);
}

/** A slice unpacks to a thousand times as much at most. */
const SLICE_BYTES = 1 << 14;

/**
 * The checksum of ZIP, four bytes per step.
 * @see ISO 3309; Kounavis and Berry 2005, "slicing"
 */
function createCrc32(): (bytes: Uint8Array) => number {
  const table = new Uint32Array(4 * 256);
  const at = (index: number): number => table[index] as number;
  for (let i = 0; i < 256; i++) {
    let value = i;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1;
    table[i] = value;
  }
  for (let i = 256; i < table.length; i++) table[i] = (at(i - 256) >>> 8) ^ at(at(i - 256) & 0xff);
  return (bytes) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let crc = -1;
    let i = 0;
    for (; i + 4 <= bytes.length; i += 4) {
      crc ^= view.getInt32(i, true);
      crc =
        at(768 + (crc & 0xff)) ^
        at(512 + ((crc >>> 8) & 0xff)) ^
        at(256 + ((crc >>> 16) & 0xff)) ^
        at(crc >>> 24);
    }
    for (; i < bytes.length; i++) crc = (crc >>> 8) ^ at((crc ^ (bytes[i] as number)) & 0xff);
    return ~crc >>> 0;
  };
}

/** Of CRC-32, reversed. */
const POLYNOMIAL = 0xedb88320;
