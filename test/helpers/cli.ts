import { spawn } from 'node:child_process';
import path from 'node:path';
import { projectRoot } from './fixtures.ts';

export const launcher: string = path.join(projectRoot, 'bin/sectorscope.js');
export const demoImage: string = path.join(projectRoot, 'fixtures/demo/demo.qcow2');

export interface CliResult {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export interface CliOptions {
  /** Standard input; `open` leaves it without an end. */
  readonly input?: Uint8Array | { readonly open: Uint8Array };
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Called with the running process, to send it signals. */
  readonly onStart?: (child: ReturnType<typeof spawn>) => void;
}

/** Runs `sectorscope` as a user does, in a process of its own, without a terminal. */
export function sectorscope(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, ...options.env };
    const child = spawn(process.execPath, [launcher, ...args], { cwd: options.cwd, env, stdio: 'pipe' });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    child.stdin.on('error', () => undefined);
    const { input } = options;
    if (input !== undefined && 'open' in input) child.stdin.write(input.open);
    else child.stdin.end(input ?? '');
    child.on('error', reject);
    child.on('close', (code) =>
      resolve({ code, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString() }),
    );
    options.onStart?.(child);
  });
}

/** The JSON a command prints; the command must end with 0. */
export async function sectorscopeJson<Value>(args: readonly string[]): Promise<Value> {
  const { code, stdout, stderr } = await sectorscope([...args, '--json']);
  if (code !== 0) throw new Error(`sectorscope ${args.join(' ')} ended with ${code}: ${stderr}`);
  return JSON.parse(stdout.toString()) as Value;
}
