import { bitField, hasBit } from '../bytes/bits.ts';
import { viewOf } from '../bytes/struct.ts';

/** RFC 8878 section 3.1.1. */
const FRAME_MAGIC = 0xfd2fb528;
const BLOCK_HEADER_BYTES = 3;
const RLE_BLOCK = 1;

export interface ZstdFrame {
  /** Bytes of the whole frame, its checksum included. */
  readonly length: number;
  /** Bytes that it says it gives; undefined when it does not say. */
  readonly contentSize: number | undefined;
}

/**
 * The extent of the Zstandard frame that `bytes` begin with, told from its headers without decompressing (RFC 8878 section
 * 3.1.1); undefined when it is no frame, or not there in full.
 */
export function zstdFrame(bytes: Uint8Array): ZstdFrame | undefined {
  if (bytes.length < 6) return undefined;
  const view = viewOf(bytes);
  if (view.getUint32(0, true) !== FRAME_MAGIC) return undefined;
  const descriptor = bytes[4]!;
  const isSingleSegment = hasBit(descriptor, 5);
  const dictionaryBytes = [0, 1, 2, 4][bitField(descriptor, 0, 2)]!;
  const sizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][bitField(descriptor, 6, 2)]!;
  const sizeAt = 5 + (isSingleSegment ? 0 : 1) + dictionaryBytes;
  let at = sizeAt + sizeBytes;
  if (at > bytes.length) return undefined;
  const contentSize = contentSizeOf(view, sizeAt, sizeBytes);
  // Each step moves on by at least a block's header.
  for (let isLast = false; !isLast; ) {
    if (at + BLOCK_HEADER_BYTES > bytes.length) return undefined;
    const header = view.getUint16(at, true) + bytes[at + 2]! * 0x1_0000;
    isLast = hasBit(header, 0);
    const isRle = bitField(header, 1, 2) === RLE_BLOCK;
    at += BLOCK_HEADER_BYTES + (isRle ? 1 : bitField(header, 3, 21));
  }
  if (hasBit(descriptor, 2)) at += 4;
  return at > bytes.length ? undefined : { length: at, contentSize };
}

function contentSizeOf(view: DataView, at: number, length: number): number | undefined {
  switch (length) {
    case 1:
      return view.getUint8(at);
    case 2:
      return view.getUint16(at, true) + 256;
    case 4:
      return view.getUint32(at, true);
    case 8:
      return Number(view.getBigUint64(at, true));
    default:
      return undefined;
  }
}
