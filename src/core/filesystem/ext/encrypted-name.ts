import { encodeName } from '../../bytes/text.ts';

/** Bytes of a name that stand for themselves; what is behind them is told by its SHA-256, so that a name fits into one of a host. */
const PLAIN_BYTES = 149;

/**
 * What stands for a name that fscrypt has encrypted: an underscore and its bytes in base64url, as the kernel shows the names of a
 * directory whose key it has not (fs/crypto/fname.c, `struct fscrypt_nokey_name`), less the hash of the directory's order.
 */
export function encryptedName(name: string): string {
  const bytes = encodeName(name);
  if (bytes.length <= PLAIN_BYTES) return `_${Buffer.from(bytes).toString('base64url')}`;
  // Loaded here: hardly any directory needs it.
  const { createHash } = process.getBuiltinModule('node:crypto');
  const rest = createHash('sha256').update(bytes.subarray(PLAIN_BYTES)).digest();
  return `_${Buffer.concat([bytes.subarray(0, PLAIN_BYTES), rest]).toString('base64url')}`;
}
