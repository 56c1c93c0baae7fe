import { crc32, inflateRawSync } from "node:zlib";
import { shorten } from "../text/shorten.ts";

/**
 * A ZIP archive of uncompressed entries. Equal entries give equal bytes: no clock, no owner, no attributes.
 * @throws RangeError beyond 4 GiB or 65535 entries, which would need ZIP64
 * @see APPNOTE.TXT 6.3.9, PKWARE
 */
export function encodeZip(entries: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const local: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const [name, content] of entries) {
    const nameBytes = Buffer.from(name);
    const fields = Buffer.alloc(26); // the fields that both headers share, from "version needed" on
    fields.writeUInt16LE(VERSION, 0);
    fields.writeUInt16LE(UTF8_NAMES, 2);
    fields.writeUInt16LE(EARLIEST_DATE, 8);
    fields.writeUInt32LE(crc32(content), 10);
    writeSize(fields, content.length, 14);
    writeSize(fields, content.length, 18);
    fields.writeUInt16LE(nameBytes.length, 22);
    local.push(
      uint32(LOCAL_SIGNATURE),
      fields,
      nameBytes,
      Buffer.from(content.buffer, content.byteOffset, content.byteLength),
    );
    const tail = Buffer.alloc(14); // comment length, disk, attributes, offset
    writeSize(tail, offset, 10);
    central.push(uint32(CENTRAL_SIGNATURE), Buffer.from([VERSION, 0]), fields, tail, nameBytes);
    offset += LOCAL_HEADER_BYTES + nameBytes.length + content.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(END_BYTES);
  end.writeUInt32LE(END_SIGNATURE, 0);
  end.writeUInt16LE(entries.size, 8);
  end.writeUInt16LE(entries.size, 10);
  writeSize(end, directory.length, 12);
  writeSize(end, offset, 16);
  return Buffer.concat([...local, directory, end]);
}

/**
 * The entries of a ZIP archive, stored or deflated, by name; each is unpacked when it is asked for, and held against its
 * checksum. ZIP64 sizes are read where an entry has them. All that is unpacked together is bounded by the archive's
 * size, whatever sizes it declares.
 * @throws RangeError if the archive is damaged, encrypted, compressed in another way, or unpacks to too much
 */
export function openZip(bytes: Uint8Array): Map<string, () => Uint8Array> {
  const archive = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { count, directory } = findDirectory(archive);
  const entries = new Map<string, () => Uint8Array>();
  const most = Math.max(ALWAYS_UNPACKED_BYTES, archive.length * MOST_RATIO);
  let unpacked = 0;
  let at = directory;
  for (let i = 0; i < count; i++) {
    if (archive.readUInt32LE(at) !== CENTRAL_SIGNATURE)
      throw new RangeError(`no directory entry at byte ${at}`);
    const nameLength = archive.readUInt16LE(at + 28);
    const extraLength = archive.readUInt16LE(at + 30);
    const name = archive.toString("utf8", at + 46, at + 46 + nameLength);
    const extra = archive.subarray(at + 46 + nameLength, at + 46 + nameLength + extraLength);
    const [size, packedSize, localAt] = readZip64(extra, [
      archive.readUInt32LE(at + 24),
      archive.readUInt32LE(at + 20),
      archive.readUInt32LE(at + 42),
    ]);
    const shown = shorten(name);
    if ((archive.readUInt16LE(at + 8) & 1) === 1) throw new RangeError(`"${shown}" is encrypted`);
    const begin =
      localAt + LOCAL_HEADER_BYTES + archive.readUInt16LE(localAt + 26) + archive.readUInt16LE(localAt + 28);
    if (begin + packedSize > archive.length)
      throw new RangeError(`"${shown}" goes on after the archive's end`);
    const packed = archive.subarray(begin, begin + packedSize);
    const [method, checksum] = [archive.readUInt16LE(at + 10), archive.readUInt32LE(at + 16)];
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
    at += 46 + nameLength + extraLength + archive.readUInt16LE(at + 32);
  }
  return entries;
}

const LOCAL_SIGNATURE = 0x04034b50;
const CENTRAL_SIGNATURE = 0x02014b50;
const END_SIGNATURE = 0x06054b50;
const END64_SIGNATURE = 0x06064b50;
const LOCATOR64_SIGNATURE = 0x07064b50;
const LOCAL_HEADER_BYTES = 30;
const END_BYTES = 22;
const VERSION = 20;
const UTF8_NAMES = 0x800;
/** 1 January 1980, the first day that the format can write. */
const EARLIEST_DATE = 0x21;
const IN_ZIP64 = 0xffffffff;
/** Deflate packs zeros a thousandfold; hidden states hardly at all, padded strings and columns of one value fiftyfold. */
const MOST_RATIO = 100;
/** Whatever the ratio: small archives of nothing but such columns. */
const ALWAYS_UNPACKED_BYTES = 1 << 26;

function findDirectory(archive: Buffer): { readonly count: number; readonly directory: number } {
  // The end record stands last but for a comment of at most 65535 bytes.
  const earliest = Math.max(0, archive.length - END_BYTES - 0xffff);
  for (let at = archive.length - END_BYTES; at >= earliest; at--) {
    if (archive.readUInt32LE(at) !== END_SIGNATURE) continue;
    const count = archive.readUInt16LE(at + 10);
    const directory = archive.readUInt32LE(at + 16);
    if (count !== 0xffff && directory !== IN_ZIP64) return { count, directory };
    if (at < 20 || archive.readUInt32LE(at - 20) !== LOCATOR64_SIGNATURE) break;
    const at64 = Number(archive.readBigUInt64LE(at - 12));
    if (archive.readUInt32LE(at64) !== END64_SIGNATURE) break;
    return {
      count: Number(archive.readBigUInt64LE(at64 + 32)),
      directory: Number(archive.readBigUInt64LE(at64 + 48)),
    };
  }
  throw new RangeError("no ZIP directory at its end; it was cut off or is no ZIP archive");
}

/** Each 32-bit value that is all ones stands, in this order, in the extra field with id 1. */
function readZip64(extra: Buffer, values: readonly [number, number, number]): [number, number, number] {
  let at = 0;
  while (at + 4 <= extra.length && extra.readUInt16LE(at) !== 1) at += 4 + extra.readUInt16LE(at + 2);
  let next = at + 4;
  const read = (value: number): number => {
    if (value !== IN_ZIP64) return value;
    next += 8;
    return Number(extra.readBigUInt64LE(next - 8));
  };
  return [read(values[0]), read(values[1]), read(values[2])];
}

function unpack(
  packed: Buffer,
  { method, size, name }: { readonly method: number; readonly size: number; readonly name: string },
): Uint8Array {
  if (method !== 0 && method !== 8) throw new RangeError(`"${name}" is compressed by method ${method}`);
  // The declared size is the limit, and the room is taken at once: pieces and their sum would need it twice.
  const content =
    method === 0
      ? packed
      : inflateRawSync(packed, { maxOutputLength: Math.max(size, 1), chunkSize: Math.max(size + 1, 64) });
  if (content.length !== size)
    throw new RangeError(`"${name}" has ${content.length} bytes, expected ${size}`);
  return content;
}

function writeSize(target: Buffer, size: number, at: number): void {
  if (size >= IN_ZIP64) throw new RangeError(`${size} bytes do not fit a ZIP archive without ZIP64`);
  target.writeUInt32LE(size, at);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
