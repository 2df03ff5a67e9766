import { hasBit } from '../bytes/bits.ts';
import { Struct, u16le, u32le, viewOf } from '../bytes/struct.ts';
import type { ExtendedAttribute } from './filesystem.ts';

export type AclTag = 'user' | 'group' | 'mask' | 'other';

/** One entry of an access control list; the owner's and the owning group's have no number. */
export interface AclEntry {
  readonly tag: AclTag;
  readonly id?: number;
  /** `rwx`, a dash for each that is not granted. */
  readonly permissions: string;
}

/** The attributes that are lists: of the file, and what a directory gives to files that are made in it. */
const ACL_ATTRIBUTES: ReadonlySet<string> = new Set(['system.posix_acl_access', 'system.posix_acl_default']);

/** `struct ext4_acl_entry`; without a number it is the first half of that (kernel, fs/ext4/acl.h). */
const ENTRY = new Struct('acl', 'entry', { tag: u16le(0), permissions: u16le(2) });
const ID = new Struct('acl', 'entry id', { id: u32le(0) });
const HEADER_BYTES = 4;
/** Of ext4's own form; that of other filesystems, which getxattr(2) gives as well, has a number in every entry. */
const SHORT_VERSION = 1;
const LONG_VERSION = 2;

/** `e_tag`, and whether it is about the number behind it. */
const TAGS: Readonly<Record<number, { readonly tag: AclTag; readonly hasId: boolean }>> = {
  1: { tag: 'user', hasId: false },
  2: { tag: 'user', hasId: true },
  4: { tag: 'group', hasId: false },
  8: { tag: 'group', hasId: true },
  16: { tag: 'mask', hasId: false },
  32: { tag: 'other', hasId: false },
};

/** The entries of an attribute that is an access control list; undefined for any other, and for one that makes no sense. */
export function aclOf({ name, value }: ExtendedAttribute): readonly AclEntry[] | undefined {
  return ACL_ATTRIBUTES.has(name) ? decodeAcl(value) : undefined;
}

/** The entries of a POSIX access control list as its attribute has it; undefined for what is none. */
export function decodeAcl(value: Uint8Array): AclEntry[] | undefined {
  if (value.length < HEADER_BYTES) return undefined;
  const version = viewOf(value).getUint32(0, true);
  if (version !== SHORT_VERSION && version !== LONG_VERSION) return undefined;
  const entries: AclEntry[] = [];
  for (let at = HEADER_BYTES; at < value.length; ) {
    if (at + ENTRY.size > value.length) return undefined;
    const { tag: number, permissions } = ENTRY.parse(value, at);
    const known = TAGS[number];
    if (known === undefined) return undefined;
    at += ENTRY.size;
    const hasRoom = known.hasId || version === LONG_VERSION;
    if (hasRoom && at + ID.size > value.length) return undefined;
    const id = known.hasId ? { id: ID.parse(value, at).id } : {};
    entries.push({ tag: known.tag, ...id, permissions: permissionLetters(permissions) });
    if (hasRoom) at += ID.size;
  }
  return entries;
}

function permissionLetters(permissions: number): string {
  return ['r', 'w', 'x'].map((letter, index) => (hasBit(permissions, 2 - index) ? letter : '-')).join('');
}

/** A list as setfacl takes it, and getfacl -n prints it line by line: `user::rw-,user:1000:r--,group::r--,mask::r--,other::---`. */
export function aclText(entries: readonly AclEntry[]): string {
  return entries.map(({ tag, id, permissions }) => `${tag}:${id ?? ''}:${permissions}`).join(',');
}
