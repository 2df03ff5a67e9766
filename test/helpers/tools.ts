import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import type { ExecutionContext } from 'ava';

const run = promisify(execFile);
const ENVIRONMENT = {
  ...process.env,
  PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`,
  LC_ALL: 'C.UTF-8',
  TZ: 'UTC',
  MTOOLS_SKIP_CHECK: '1',
};
/** What a tool may print before the test fails, in bytes. */
const MAX_OUTPUT_BYTES = 512 * 1024 * 1024;

/** Runs a real tool and gives its standard output as bytes; a failing tool fails the test with what it said. */
export async function tool(command: string, args: readonly string[], input?: string | Uint8Array): Promise<Buffer> {
  const running = run(command, [...args], { encoding: 'buffer', maxBuffer: MAX_OUTPUT_BYTES, env: ENVIRONMENT });
  // A tool that reads no input may be gone before it is given any.
  running.child.stdin?.on('error', () => undefined);
  running.child.stdin?.end(input ?? '');
  return (await running).stdout;
}

/** The same as text. */
export async function toolText(command: string, args: readonly string[], input?: string | Uint8Array): Promise<string> {
  return (await tool(command, args, input)).toString();
}

/**
 * Whether every named tool is there. If not, the test says so and passes by; in CI (REQUIRE_PEERS=1) a missing tool is a failure.
 * Use: `if (!hasTools(t, 'qemu-img', 'mkfs.fat')) return;`
 */
export function hasTools(t: ExecutionContext, ...commands: readonly string[]): boolean {
  const missing = commands.filter((command) => spawnSync('which', [command], { env: ENVIRONMENT }).status !== 0);
  if (missing.length === 0) return true;
  const line = `skipped: ${missing.join(', ')} not installed`;
  if (process.env['REQUIRE_PEERS'] === '1') t.fail(line);
  else t.pass(line);
  t.log(line);
  return false;
}

/** A folder that is gone when the test ends. */
export function temporaryFolder(t: ExecutionContext): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'sectorscope-test-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
