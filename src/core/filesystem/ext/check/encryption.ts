import { DiskError } from '../../../errors.ts';
import { blockXattrs, type Xattr } from '../xattr.ts';
import { inodeList } from './attribute-list.ts';
import type { RawInode } from './raw-inode.ts';
import type { CheckState } from './state.ts';

const POLICY_ATTRIBUTE = 'encryption.c';
/** `struct fscrypt_context_v1` and `_v2`: bytes in all, and of these the policy, before the nonce of each file. */
const CONTEXTS: Readonly<Record<number, { readonly bytes: number; readonly policyBytes: number }>> = {
  1: { bytes: 28, policyBytes: 12 },
  2: { bytes: 40, policyBytes: 24 },
};
/** A policy of a version that is not known here: all of them pass for one. */
const UNKNOWN_POLICY = 1;

/** Remembers the policy of an encrypted inode, which the files of a directory must share. */
export function notePolicy(state: CheckState, inode: RawInode): Promise<void> | undefined {
  const inside = listed(() => inodeList(inode));
  const found = inside.find(({ name }) => name === POLICY_ATTRIBUTE);
  if (found !== undefined || inode.attributeBlock === 0) {
    keep(state, inode, found);
    return undefined;
  }
  return readPolicy(state, inode);
}

async function readPolicy(state: CheckState, inode: RawInode): Promise<void> {
  const block = inode.attributeBlock;
  const structure = `attribute block of inode ${inode.id}`;
  const bytes = state.hasBlock(block) ? await state.read(block, structure, [inode.id]) : undefined;
  const list = bytes === undefined ? [] : listed(() => blockXattrs(bytes, state.blockOffset(block)));
  keep(
    state,
    inode,
    list.find(({ name }) => name === POLICY_ATTRIBUTE),
  );
}

function listed(list: () => Xattr[]): Xattr[] {
  try {
    return list();
  } catch (error) {
    if (error instanceof DiskError) return [];
    throw error;
  }
}

function keep(state: CheckState, inode: RawInode, found: Xattr | undefined): void {
  const tell = (message: string): void =>
    state.error('encryption-policy', `inode ${inode.id}`, inode.offset, message, [inode.id]);
  if (found === undefined) {
    tell('it is encrypted, and has no policy');
    return;
  }
  const { value } = found;
  const version = value[0] ?? 0;
  const context = CONTEXTS[version];
  if (version === 0 || (context !== undefined && value.length !== context.bytes))
    tell('its encryption policy makes no sense');
  else if (context === undefined) state.policies.set(inode.id, UNKNOWN_POLICY);
  else state.policies.set(inode.id, policyNumber(state, value.subarray(0, context.policyBytes)));
}

function policyNumber(state: CheckState, policy: Uint8Array): number {
  const key = Buffer.from(policy).toString('hex');
  let number = state.policyNumbers.get(key);
  if (number === undefined) {
    number = UNKNOWN_POLICY + 1 + state.policyNumbers.size;
    state.policyNumbers.set(key, number);
  }
  return number;
}
