import { crc32cWithoutField } from '../../bytes/crc32c.ts';
import { type StructValue, viewOf } from '../../bytes/struct.ts';
import { type BlockDevice, readBytes } from '../../device/block-device.ts';
import { corrupt, DiskError, unsupported } from '../../errors.ts';
import type { OpenContext } from '../../format.ts';
import { HEADER_BYTES, HEADER_OFFSETS, HEADER_SIGNATURE, MIB, vhdxHeader } from './header.ts';

/** The only version that MS-VHDX 2.2.2 knows. */
const VERSION = 1;
export const ZERO_GUID = '00000000-0000-0000-0000-000000000000';

export type HeaderFields = StructValue<typeof vhdxHeader.fields>;

/** The header that counts, and which of the two it is. */
export interface CurrentHeader {
  /** 1 or 2, as people number them. */
  readonly number: number;
  /** Where it stands in the file, in bytes. */
  readonly offset: number;
  readonly fields: HeaderFields;
}

/** One of the two headers as it was found: `fields` when it is valid, else what is wrong with it. */
interface HeaderCopy {
  readonly number: number;
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly fields?: HeaderFields;
  readonly problem?: string;
  /** A whole header of a version that is not ours. */
  readonly foreignVersion?: number;
}

/**
 * The current header (MS-VHDX 2.2.2): the valid one, of two valid ones that with the higher sequence number. Some writers
 * (Disk2VHD, says QEMU) leave two that are the same: then it does not matter which.
 */
export async function readCurrentHeader(file: BlockDevice, context: OpenContext): Promise<CurrentHeader> {
  const [first, second] = [await readCopy(file, 0), await readCopy(file, 1)];
  const current = chooseCopy(first, second);
  for (const { problem, offset, number } of [first, second]) {
    if (problem === undefined) continue;
    context.report({
      layer: 'vhdx',
      structure: `header ${number}`,
      offset,
      message: `the header is damaged (${problem}); header ${current.number} is used`,
    });
  }
  return { number: current.number, offset: current.offset, fields: checkLogPlace(current) };
}

async function readCopy(file: BlockDevice, index: 0 | 1): Promise<HeaderCopy> {
  const offset = HEADER_OFFSETS[index];
  const number = index + 1;
  const available = Math.min(HEADER_BYTES, Math.max(0, file.size - offset));
  const bytes = available === 0 ? new Uint8Array(0) : await readBytes(file, offset, available);
  const copy = { number, offset, bytes };
  if (available < HEADER_BYTES) return { ...copy, problem: `the file ends at ${file.size}` };
  const view = viewOf(bytes);
  const { signature, checksum, version } = vhdxHeader.fields;
  if (signature.get(view, 0) !== HEADER_SIGNATURE) return { ...copy, problem: 'no signature' };
  if (checksum.get(view, 0) !== crc32cWithoutField(bytes, checksum.offset)) return { ...copy, problem: 'bad checksum' };
  const found = version.get(view, 0);
  if (found !== VERSION) return { ...copy, problem: `version ${found}`, foreignVersion: found };
  try {
    return { ...copy, fields: vhdxHeader.parse(bytes, 0, offset) };
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    return { ...copy, problem: error.message };
  }
}

type ValidCopy = HeaderCopy & { readonly fields: HeaderFields };

function isValid(copy: HeaderCopy): copy is ValidCopy {
  return copy.fields !== undefined;
}

function chooseCopy(first: HeaderCopy, second: HeaderCopy): ValidCopy {
  if (isValid(first) && isValid(second)) {
    if (first.fields.sequenceNumber !== second.fields.sequenceNumber)
      return first.fields.sequenceNumber > second.fields.sequenceNumber ? first : second;
    if (Buffer.compare(first.bytes, second.bytes) === 0) return first;
    throw corrupt({
      layer: 'vhdx',
      structure: 'header sequenceNumber',
      offset: second.offset + vhdxHeader.fields.sequenceNumber.offset,
      expected: 'two different sequence numbers in two different headers',
      found: `${first.fields.sequenceNumber} in both`,
    });
  }
  if (isValid(first)) return first;
  if (isValid(second)) return second;
  const foreign = first.foreignVersion ?? second.foreignVersion;
  const details = { layer: 'vhdx', structure: 'header', offset: first.offset };
  if (foreign !== undefined)
    throw unsupported({ ...details, expected: `version ${VERSION}`, found: `version ${foreign}` });
  throw corrupt({
    ...details,
    expected: 'a valid header',
    found: `header 1: ${first.problem}; header 2: ${second.problem}`,
  });
}

/** MS-VHDX 2.2.2: the log is MiB-aligned, whole MiB long and behind the header section. */
function checkLogPlace({ fields, offset }: ValidCopy): HeaderFields {
  const { logOffset, logLength } = fields;
  const invalid = (field: 'logOffset' | 'logLength', expected: string): DiskError =>
    corrupt({
      layer: 'vhdx',
      structure: `header ${field}`,
      offset: offset + vhdxHeader.fields[field].offset,
      expected,
      found: fields[field],
    });
  if (logLength === 0) return fields;
  if (logLength % MIB !== 0) throw invalid('logLength', `a multiple of ${MIB}`);
  if (logOffset < MIB || logOffset % MIB !== 0) throw invalid('logOffset', `a multiple of ${MIB} that is not 0`);
  return fields;
}
