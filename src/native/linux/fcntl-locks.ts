import koffi from 'koffi';
import type { FileLocks } from '../types.ts';

/** Open file description locks of linux/fcntl.h: they belong to the descriptor, not to the process. */
const F_OFD_GETLK = 36;
const F_OFD_SETLK = 37;
const LOCK_TYPE = { read: 0, write: 1, none: 2 } as const;
const SEEK_SET = 0;

interface Flock {
  type: number;
  whence: number;
  start: number;
  length: number;
  process: number;
}

export function fcntlLocks(): FileLocks {
  // `off_t` has 64 bits on every 64-bit Linux, and Node.js runs on no other.
  const flock = koffi.struct({ type: 'int16', whence: 'int16', start: 'int64', length: 'int64', process: 'int32' });
  const fcntl = koffi.load(null).func('fcntl', 'int', ['int', 'int', koffi.inout(koffi.pointer(flock))]);
  const byte = (type: number, start: number): Flock => ({ type, whence: SEEK_SET, start, length: 1, process: 0 });
  return {
    share: (descriptor, offset) => {
      if (fcntl(descriptor, F_OFD_SETLK, byte(LOCK_TYPE.read, offset)) === 0) return true;
      const errno = koffi.errno();
      return errno !== koffi.os.errno['EAGAIN'] && errno !== koffi.os.errno['EACCES'];
    },
    isTaken: (descriptor, offset) => {
      // Asking for an exclusive lock tells of any other; what was asked for comes back as the one in the way.
      const lock = byte(LOCK_TYPE.write, offset);
      return fcntl(descriptor, F_OFD_GETLK, lock) === 0 && lock.type !== LOCK_TYPE.none;
    },
  };
}
