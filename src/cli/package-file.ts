import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** A file of the installed package; the code runs in dist/src/cli. */
export function packagePath(relative: string): string {
  return fileURLToPath(new URL(`../../../${relative}`, import.meta.url));
}

export function packageVersion(): string {
  return (JSON.parse(readFileSync(packagePath('package.json'), 'utf8')) as { version: string }).version;
}
