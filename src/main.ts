/** The `sectorscope` command. The terminal interface is loaded only when it is wanted: Ink costs start-up time. */
import { runCli } from './cli/run.ts';

process.exitCode = await runCli(process.argv.slice(2), {
  browse: async (image, options) => (await import('./tui/run.tsx')).runTui(image, options),
});
