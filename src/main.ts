/** The `sectorscope` command. The terminal interface is loaded only when it is wanted: Ink costs start-up time. */
import { EXIT } from './cli/exit-codes.ts';
import { errorLine } from './cli/output.ts';
import { runCli } from './cli/run.ts';

// React's development build is slower and larger, and says nothing to a user.
process.env['NODE_ENV'] ??= 'production';

// The last resort for a bug of ours: one line, never a raw stack trace over somebody's terminal.
process.on('uncaughtException', (error) => {
  process.stderr.write(`sectorscope: internal error: ${errorLine(error)}\n`);
  if (process.env['SECTORSCOPE_DEBUG'] !== undefined) process.stderr.write(`${error.stack}\n`);
  process.exit(EXIT.internal);
});

process.exitCode = await runCli(process.argv.slice(2), {
  browse: async (image, start) => (await import('./tui/run.tsx')).runTui(image, start),
});
