import { Struct, u64be } from '../../bytes/struct.ts';
import { encodeName } from '../../bytes/text.ts';
import type { BlockDevice } from '../../device/block-device.ts';
import { corrupt, unsupported } from '../../errors.ts';
import type { OpenContext } from '../../format.ts';
import type { ContainerOptions } from '../container.ts';
import { LUKS_HEADER_BYTES } from '../luks/luks-header.ts';
import { unlockLuks } from '../luks/unlock-luks.ts';
import { createSectorCipher } from '../sector-cipher.ts';
import type { ClusterEncryption } from './encrypted-clusters.ts';
import { type HeaderFields, headerV3, invalid, notSupported } from './header.ts';
import { EXTENSION, type HeaderExtensions } from './header-extensions.ts';

/** Encryption methods of the header (qcow2 specification, section "Header", bytes 32 to 35), by their number. */
export const ENCRYPTION_METHODS = ['none', 'AES', 'LUKS'] as const;

/** The key of the old method is the passphrase itself, cut or filled up with zeros; QEMU's has 128 bits, whatever the specification says. */
const OLD_AES_KEY_BYTES = 16;

/** The full disk encryption header pointer (header extension 0x0537be77). */
export const encryptionPointer = new Struct('qcow2', 'encryption header pointer', {
  offset: u64be(0),
  length: u64be(8),
});

type Passphrases = Pick<ContainerOptions, 'passphrase' | 'offeredPassphrase'>;

const headerPlace = { layer: 'qcow2', structure: 'header cryptMethod' } as const;

/** What opening told of an image's encryption. */
export interface OpenedEncryption extends ClusterEncryption {
  readonly description: string;
}

/**
 * Refuses what cannot be decrypted, before anything else is read: an unknown method, and encryption for which there is no
 * passphrase, by its name.
 */
export function checkEncryption(
  header: HeaderFields,
  { passphrase, offeredPassphrase }: Passphrases,
  context: OpenContext,
): void {
  const { cryptMethod } = header;
  const name = ENCRYPTION_METHODS[cryptMethod];
  if (name === undefined)
    throw notSupported('cryptMethod', ENCRYPTION_METHODS.join(', '), `method ${cryptMethod} encryption`);
  const { offset } = headerV3.fields.cryptMethod;
  if (name !== 'none' && (passphrase ?? offeredPassphrase) === undefined) {
    const expected = 'a passphrase for an encrypted image';
    const { layer, structure } = headerPlace;
    throw unsupported({
      layer,
      structure,
      offset,
      expected,
      found: `${name} encryption`,
      remedies: ['givePassphrase'],
    });
  }
  // A passphrase may be for a layer below.
  if (name === 'none' && passphrase !== undefined && header.backingFileOffset === 0)
    report(context, offset, 'a passphrase was given, but the image is not encrypted');
  if (name === 'AES') {
    report(
      context,
      offset,
      'the old AES encryption has nothing to check a passphrase against: a wrong one reads as noise',
    );
  }
}

function report(context: OpenContext, offset: number, message: string): void {
  context.report({ ...headerPlace, offset, message });
}

/**
 * Unlocks an encrypted image; undefined for one that is not (section "Data encryption"). DENIED when the passphrase does not
 * fit, as far as the method can tell.
 */
export async function openEncryption(
  file: BlockDevice,
  header: HeaderFields,
  extensions: HeaderExtensions,
  { passphrase: asked, offeredPassphrase }: Passphrases,
): Promise<OpenedEncryption | undefined> {
  const name = ENCRYPTION_METHODS[header.cryptMethod];
  const passphrase = asked ?? offeredPassphrase;
  if (passphrase === undefined || name === 'none') return undefined;
  const secret = encodeName(passphrase);
  if (name === 'AES') {
    const key = new Uint8Array(OLD_AES_KEY_BYTES);
    key.set(secret.subarray(0, OLD_AES_KEY_BYTES));
    const cipher = createSectorCipher({ name: 'aes', mode: 'cbc-plain64' }, key)!;
    return { encoding: 'aes', cipher, countsFrom: 'guestOffset', description: 'AES: aes-cbc-plain64, 128 bits' };
  }
  const { offset, length } = checkPointer(header, extensions, file.size);
  const { cipher, description } = await unlockLuks(file, offset, length, secret);
  return { encoding: 'luks', cipher, countsFrom: 'hostOffset', description: `LUKS1: ${description}` };
}

/** Where the LUKS header and its key material lie, inside the file. */
function checkPointer(header: HeaderFields, extensions: HeaderExtensions, fileSize: number) {
  const extension = extensions.all.find(({ type }) => type === EXTENSION.encryption);
  if (extension === undefined)
    throw invalid('cryptMethod', 'an encryption header pointer with LUKS', 'no such header extension');
  const pointer = encryptionPointer.parse(extension.data, 0, extension.offset);
  const clusterSize = 2 ** header.clusterBits;
  const fail = (field: keyof typeof encryptionPointer.fields, expected: string): never => {
    throw corrupt({
      layer: 'qcow2',
      structure: `${encryptionPointer.name} ${field}`,
      offset: extension.offset + encryptionPointer.fields[field].offset,
      expected,
      found: pointer[field],
    });
  };
  if (pointer.offset % clusterSize !== 0) fail('offset', `a multiple of ${clusterSize}`);
  if (pointer.length < LUKS_HEADER_BYTES) fail('length', `at least ${LUKS_HEADER_BYTES} bytes`);
  // QEMU counts the key material that no slot uses yet, which need not be in the file.
  if (pointer.offset + LUKS_HEADER_BYTES > fileSize) fail('offset', `a LUKS header inside ${fileSize} bytes`);
  return { offset: pointer.offset, length: Math.min(pointer.length, fileSize - pointer.offset) };
}
