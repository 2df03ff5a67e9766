import type { Native } from './types.ts';

export type { ExactTime, FileHoles, FileLocks, FileTimes, Native } from './types.ts';

let loaded: Promise<Native> | undefined;

/** This platform's system calls; loaded at the first use, because loading the foreign-function library takes a while. */
export function loadNative(): Promise<Native> {
  loaded ??= load();
  return loaded;
}

async function load(): Promise<Native> {
  switch (process.platform) {
    case 'linux':
      return (await import('./linux/native.ts')).native;
    case 'darwin':
      return (await import('./darwin/native.ts')).native;
    default:
      return (await import('./windows/native.ts')).native;
  }
}
