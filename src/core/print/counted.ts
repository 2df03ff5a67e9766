import { formatBytes, formatCount } from './bytes.ts';

/** `1 file`, `2,000 files`. */
export function counted(count: number, one: string, many: string): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

/** What was made on the host, in counts. */
interface Made {
  readonly files: number;
  readonly directories: number;
  readonly symlinks: number;
  readonly hardLinks?: number;
  readonly bytes: number;
}

/** `2 files (1.5 KiB), 1 directory`: of directories and links only what there is. */
export function madeText({ files, directories, symlinks, hardLinks = 0, bytes }: Made): string {
  const links = symlinks + hardLinks;
  const parts = [`${counted(files, 'file', 'files')} (${formatBytes(bytes)})`];
  if (directories > 0) parts.push(counted(directories, 'directory', 'directories'));
  if (links > 0) parts.push(counted(links, 'link', 'links'));
  return parts.join(', ');
}

/** `3 errors, 1 warning`; empty when there is none. */
export function severityText({ error, warning, note }: Readonly<Record<'error' | 'warning' | 'note', number>>): string {
  const parts: string[] = [];
  if (error > 0) parts.push(counted(error, 'error', 'errors'));
  if (warning > 0) parts.push(counted(warning, 'warning', 'warnings'));
  if (note > 0) parts.push(counted(note, 'note', 'notes'));
  return parts.join(', ');
}
