import { render } from 'ink';
import { DiskError, type Image } from '../core/index.ts';
import { App } from './app.tsx';
import { createLoader, type Loader } from './load/load.ts';
import type { StartOptions } from './state/initial-state.ts';

export type TuiOptions = StartOptions;

const CLEAR_SCREEN = '\x1b[2J\x1b[H';
const FRAMES_PER_SECOND = 60;
/** What ends the program; a file that is half written is removed first. */
const SIGNALS = ['SIGTERM', 'SIGHUP', 'SIGINT'] as const;
/** How long a signal to ourselves may take. */
const SIGNAL_MS = 500;
/** Any time will do: the timer is there to keep the process alive, not to fire. */
const KEEP_ALIVE_MS = 60_000;

/**
 * Browses an open image full-screen until the user quits. The image stays open: whoever opened it closes it.
 * Rejects with UNSUPPORTED when standard input or output is no terminal, and with the cause when the interface itself
 * breaks; the terminal is as it was before by then.
 */
export async function runTui(image: Image, options: TuiOptions = {}): Promise<void> {
  const { stdin, stdout } = process;
  requireTerminal(stdin.isTTY === true, stdout.isTTY === true);
  // Before the first frame: keys that were typed early would be echoed over it.
  stdin.setRawMode(true);
  let leave = (): void => undefined;
  let repaint = (): void => undefined;
  let bug: Error | undefined;
  let breakDown = (_error: Error): void => undefined;
  let endedBy: NodeJS.Signals | undefined;
  const end = (signal: NodeJS.Signals): void => {
    endedBy ??= signal;
    leave();
  };
  for (const signal of SIGNALS) process.on(signal, end);
  const jobs = endable(createLoader(image));
  const keepAlive = setInterval(() => undefined, KEEP_ALIVE_MS);
  try {
    const wipe = (): void => repaint();
    const app = <App image={image} load={jobs.load} start={options} environment={process.env} onResized={wipe} />;
    const instance = render(app, {
      alternateScreen: true,
      incrementalRendering: true,
      maxFps: FRAMES_PER_SECOND,
      // We know that there is a terminal; Ink would guess otherwise when CI is set.
      interactive: true,
      // Ctrl-C is in the table of keys.
      exitOnCtrlC: false,
    });
    leave = () => instance.unmount();
    breakDown = (error) => {
      bug ??= error;
      instance.unmount();
    };
    repaint = () => {
      instance.clear();
      stdout.write(CLEAR_SCREEN);
    };
    // Without a hang-up signal (nohup), the end of the keys is all that tells that the terminal is gone.
    stdin.once('end', leave).once('error', leave);
    // What is printed about a bug while the alternate screen is up goes with it: leave it before anybody prints.
    process.prependListener('uncaughtException', breakDown);
    await instance.waitUntilExit();
    if (bug !== undefined) throw bug;
  } finally {
    await jobs.end();
    for (const signal of SIGNALS) process.off(signal, end);
    stdin.off('end', leave).off('error', leave);
    process.off('uncaughtException', breakDown);
    clearInterval(keepAlive);
    stdin.setRawMode(false);
    if (endedBy !== undefined) await endBy(endedBy);
  }
}

/** Ends the process by the signal that it was sent, as whoever sent it expects; goes on where somebody else takes it. */
async function endBy(signal: NodeJS.Signals): Promise<void> {
  process.kill(process.pid, signal);
  // It comes through the event loop where anybody listened to it: without a timer the process would be over before.
  await new Promise((resolve) => setTimeout(resolve, SIGNAL_MS));
}

/** A loader whose jobs can be ended: one that writes files still removes the file that is half written, and reads from the image until then. */
function endable(load: Loader): { readonly load: Loader; readonly end: () => Promise<void> } {
  const ending = new AbortController();
  const running = new Set<Promise<unknown>>();
  return {
    load: (request, signal, tell) => {
      if (request.kind !== 'task') return load(request, signal, tell);
      const job = load(request, AbortSignal.any([signal, ending.signal]), tell);
      running.add(job);
      const forget = (): void => void running.delete(job);
      job.then(forget, forget);
      return job;
    },
    end: async () => {
      ending.abort();
      await Promise.allSettled(running);
    },
  };
}

function requireTerminal(isInput: boolean, isOutput: boolean): void {
  if (isInput && isOutput) return;
  const missing = [isInput ? '' : 'standard input', isOutput ? '' : 'standard output'].filter((name) => name !== '');
  throw new DiskError('UNSUPPORTED', {
    layer: 'tui',
    expected: 'a terminal on standard input and output',
    found: `${missing.join(' and ')} not a terminal; use the commands instead (sectorscope --help)`,
  });
}
