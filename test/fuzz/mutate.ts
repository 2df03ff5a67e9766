import { xor32 } from '../../src/core/bytes/bits.ts';

/** Values that sit at the edges of fields. */
const EDGES = [
  0, 1, 2, 3, 7, 8, 9, 0x7f, 0x80, 0xff, 0x100, 0x1ff, 0x200, 0xffff, 0x1_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff,
];
const MAX_BLOWS = 8;
/** Structures lie at the start of such blocks more often than elsewhere, in bytes. */
const BLOCKS = [512, 4096, 65536, 1024 * 1024];
/** Of each block, the part that is taken for a structure. */
const HEAD_BYTES = 256;

type Random = () => number;

const below = (random: Random, limit: number): number => Math.floor(random() * limit);
const oneOf = <Item>(random: Random, items: readonly Item[]): Item => items[below(random, items.length)]!;

/** Damages an image in place: a few blows, most of them where structures are likely; gives what is left of it, now and then less. */
export function mutate(bytes: Uint8Array, random: Random): Uint8Array {
  for (let blow = 0; blow <= below(random, MAX_BLOWS); blow++) strike(bytes, random);
  const kind = random();
  if (kind < 0.08) return bytes.subarray(0, below(random, bytes.length));
  if (kind < 0.1) return bytes.subarray(0, Math.min(bytes.length, below(random, 4096)));
  return bytes;
}

function strike(bytes: Uint8Array, random: Random): void {
  if (bytes.length < 16) return;
  const at = place(bytes, random);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const kind = random();
  if (kind < 0.25) bytes[at] = below(random, 256);
  else if (kind < 0.4) bytes[at] = xor32(bytes[at]!, 2 ** below(random, 8));
  else if (kind < 0.6) view.setUint32(at, edge(random), random() < 0.5);
  else if (kind < 0.7)
    view.setBigUint64(
      at,
      (BigInt(edge(random)) * BigInt(oneOf(random, [1, 0x1_0000_0000, 512, 65536]))) % 2n ** 64n,
      random() < 0.5,
    );
  else if (kind < 0.8) view.setUint16(at, edge(random) % 0x1_0000, random() < 0.5);
  else if (kind < 0.9) {
    const length = Math.min(oneOf(random, [8, 32, 512, 4096]), bytes.length - at);
    const from = Math.min(place(bytes, random), bytes.length - length);
    bytes.copyWithin(at, from, from + length);
  } else bytes.fill(oneOf(random, [0, 0xff]), at, at + oneOf(random, [4, 16, 512]));
}

/** Small edges as they are, or moved by one. */
function edge(random: Random): number {
  return (oneOf(random, EDGES) + oneOf(random, [-1, 0, 0, 1]) + 0x1_0000_0000) % 0x1_0000_0000;
}

/** A place for a blow with 8 bytes behind it: near something that is not zero, for what is there means something. */
function place(bytes: Uint8Array, random: Random): number {
  const last = bytes.length - 8;
  for (let attempt = 0; attempt < 16; attempt++) {
    const block = oneOf(random, BLOCKS);
    const start = block * below(random, Math.min(8, Math.ceil(bytes.length / block)));
    const at = Math.min(random() < 0.6 ? start + below(random, HEAD_BYTES) : below(random, bytes.length), last);
    if (bytes.subarray(at, at + 8).some((byte) => byte !== 0)) return at;
  }
  return below(random, last);
}
