import { useApp, useStdout } from 'ink';
import { useEffect } from 'react';

// DECAWM. Terminals disagree with us, and with each other, on how wide some characters are: a line that comes out too
// long must be cut at the edge and not push all that follows one line down.
const WRAP_OFF = '\x1b[?7l';
const WRAP_ON = '\x1b[?7h';

/**
 * What Ink leaves to us of the terminal: no line wraps by itself, and stopping hands the terminal back as it was. The
 * shell sets its own mode meanwhile and writes over the screen, so that going on takes it anew. Ctrl-Z is no key here;
 * the signal comes from elsewhere.
 */
export function useTerminal(): void {
  const { suspendTerminal } = useApp();
  const { stdout } = useStdout();
  useEffect(() => {
    const handOver = (callback: () => void): void => {
      const whileHandedOver = (): void => {
        stdout.write(WRAP_ON);
        callback();
        stdout.write(WRAP_OFF);
      };
      // One that comes while the terminal is handed over already is refused, and has nothing to do.
      suspendTerminal(whileHandedOver).catch(() => undefined);
    };
    const stop = (): void => handOver(() => process.kill(process.pid, 'SIGSTOP'));
    const goOn = (): void => handOver(() => undefined);
    process.on('SIGTSTP', stop).on('SIGCONT', goOn);
    stdout.write(WRAP_OFF);
    return () => {
      process.off('SIGTSTP', stop).off('SIGCONT', goOn);
      stdout.write(WRAP_ON);
    };
  }, [suspendTerminal, stdout]);
}
