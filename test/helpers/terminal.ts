import { existsSync, readFileSync } from 'node:fs';
import { type IPty, spawn } from '@lydell/node-pty';
import xterm from '@xterm/headless';
import type { ExecutionContext } from 'ava';

export interface TerminalOptions {
  readonly columns?: number;
  readonly rows?: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** How long a test waits for something to appear, in milliseconds. */
const PATIENCE = 20_000;

/** A program on a pty with a terminal emulator behind it: what is tested is what a user would see. */
export class TestTerminal {
  readonly exited: Promise<{ readonly exitCode: number; readonly signal?: number }>;
  /** Everything that the program wrote. */
  output = '';
  readonly #screen: InstanceType<typeof xterm.Terminal>;
  readonly #pty: IPty;
  readonly #waiting = new Set<() => void>();

  /** Starts `file` with this Node.js; it is killed when the test ends. */
  constructor(t: ExecutionContext, file: string, args: readonly string[], options: TerminalOptions = {}) {
    const { columns: cols = 80, rows = 24, env = {} } = options;
    this.#screen = new xterm.Terminal({ cols, rows, allowProposedApi: true });
    // In CI Ink would draw the last frame only; a user's terminal has neither of these.
    const { CI: _ci, NO_COLOR: _noColor, ...inherited } = process.env;
    this.#pty = spawn(process.execPath, [file, ...args], {
      cols,
      rows,
      name: 'xterm-256color',
      env: { ...inherited, TERM: 'xterm-256color', ...env },
    });
    this.#pty.onData((data) => {
      this.output += data;
      this.#screen.write(data, () => {
        for (const check of [...this.#waiting]) check();
      });
    });
    this.#screen.onData((data) => this.#pty.write(data));
    this.exited = new Promise((resolve) => {
      this.#pty.onExit(resolve);
    });
    t.teardown(() => this.kill('SIGKILL'));
  }

  /** The most memory that the program has had so far, in MiB; undefined where the system does not tell (it is Linux's /proc). */
  get peakMemory(): number | undefined {
    const status = `/proc/${this.#pty.pid}/status`;
    if (!existsSync(status)) return undefined;
    const kib = /VmHWM:\s+(\d+)/.exec(readFileSync(status, 'utf8'))?.[1];
    return kib === undefined ? undefined : Number(kib) / 1024;
  }

  get lines(): string[] {
    const { active } = this.#screen.buffer;
    return Array.from({ length: this.#screen.rows }, (_, row) =>
      (active.getLine(active.viewportY + row)?.translateToString(true) ?? '').trimEnd(),
    );
  }

  get screen(): string {
    return this.lines.join('\n');
  }

  get isAlternate(): boolean {
    return this.#screen.buffer.active.type === 'alternate';
  }

  /** Lines above the screen: a full-screen program must leave none. */
  get scrollback(): number {
    return this.#screen.buffer.active.baseY;
  }

  /** Whether the program left the cursor shown. */
  get isCursorShown(): boolean {
    return this.output.lastIndexOf('\x1b[?25h') >= this.output.lastIndexOf('\x1b[?25l');
  }

  type(text: string): void {
    this.#pty.write(text);
  }

  resize(columns: number, rows: number): void {
    this.#screen.resize(columns, rows);
    this.#pty.resize(columns, rows);
  }

  /**
   * Waits until the screen matches and gives that screen; fails with the screen as it is when it never does. What comes
   * after may be drawn by the time that the caller goes on: look at what this gives, or wait for all of it at once.
   */
  async see(what: RegExp | (() => boolean)): Promise<string> {
    const matches = (): boolean => (typeof what === 'function' ? what() : what.test(this.screen));
    if (matches()) return this.screen;
    return await new Promise<string>((resolve, reject) => {
      const check = (): void => {
        if (!matches()) return;
        clearTimeout(timer);
        this.#waiting.delete(check);
        resolve(this.screen);
      };
      const timer = setTimeout(() => {
        this.#waiting.delete(check);
        reject(new Error(`never seen: ${String(what)}\n${this.screen}`));
      }, PATIENCE);
      this.#waiting.add(check);
    });
  }

  /** Closes the terminal under the program. */
  hangUp(): void {
    (this.#pty as IPty & { destroy(): void }).destroy();
  }

  kill(signal: 'SIGTERM' | 'SIGKILL' | 'SIGTSTP' | 'SIGCONT' | 'SIGUSR2'): void {
    try {
      this.#pty.kill(signal);
    } catch {
      // It has ended already.
    }
  }
}
