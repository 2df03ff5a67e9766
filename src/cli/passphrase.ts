import { readFileSync } from 'node:fs';
import { decodeName, systemError, unsupported } from '../core/index.ts';

/** Where a passphrase may stand instead of in a file: never among the arguments, which every user of the machine can read. */
export const PASSPHRASE_VARIABLE = 'SECTORSCOPE_PASSPHRASE';

/** More than any passphrase: what is longer is the wrong file. */
const MAX_PASSPHRASE_BYTES = 64 * 1024;
const STANDARD_INPUT = 0;
const CARRIAGE_RETURN = 0x0d;

/** Standard input can be read once, and a command may open two images. */
let fromStandardInput: string | undefined;

/** The first line of the file (`-` is standard input) without its end, else the environment's; undefined when there is neither. */
export function readPassphrase(file: string | undefined): string | undefined {
  if (file === undefined) return process.env[PASSPHRASE_VARIABLE];
  if (file !== '-') return firstLine(file);
  fromStandardInput ??= firstLine(file);
  return fromStandardInput;
}

function firstLine(file: string): string {
  const name = file === '-' ? 'standard input' : file;
  let bytes: Buffer;
  try {
    bytes = readFileSync(file === '-' ? STANDARD_INPUT : file);
  } catch (error) {
    throw systemError(error, name);
  }
  const end = bytes.indexOf('\n');
  const line = end < 0 ? bytes : bytes.subarray(0, bytes[end - 1] === CARRIAGE_RETURN ? end - 1 : end);
  if (line.length <= MAX_PASSPHRASE_BYTES) return decodeName(line);
  const expected = `a passphrase of at most ${MAX_PASSPHRASE_BYTES} bytes in the first line`;
  throw unsupported({ layer: 'passphrase', structure: name, expected, found: line.length });
}
