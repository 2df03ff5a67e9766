/** The `sectorscope` command. The terminal interface is loaded only when it is wanted: Ink costs start-up time. */
import { EXIT } from './cli/exit-codes.ts';
import { errorLine } from './cli/output.ts';
import { runCli } from './cli/run.ts';

/** How long an interrupted command's last output may wait for its reader. */
const LAST_WORDS_MILLISECONDS = 500;

// React's development build is slower and larger, and says nothing to a user.
process.env['NODE_ENV'] ??= 'production';

// The last resort for a bug of ours: one line, never a raw stack trace over somebody's terminal.
process.on('uncaughtException', (error) => {
  process.stderr.write(`sectorscope: internal error: ${errorLine(error)}\n`);
  if (process.env['SECTORSCOPE_DEBUG'] !== undefined) process.stderr.write(`${error.stack}\n`);
  process.exit(EXIT.internal);
});

const code = await runCli(process.argv.slice(2), {
  browse: async (image, start) => (await import('./tui/run.tsx')).runTui(image, start),
});
process.exitCode = code;

// What a reader has not taken by then would keep an interrupted process alive for as long as the reader sleeps.
if (code === EXIT.interrupted) setTimeout(() => process.exit(code), LAST_WORDS_MILLISECONDS).unref();
