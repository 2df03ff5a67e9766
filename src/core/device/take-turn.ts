/** How long the event loop may go without a turn, in milliseconds: nobody notices it at a key or at Ctrl-C. */
const LONGEST_WAIT = 25;

let lastTurn = performance.now();

/**
 * Gives the event loop a turn when it has had none for a while; undefined when it is not time yet. What is ready at once
 * (zeros, what a cache has) is awaited without one, however often: no signal and no timer would come through.
 */
export function takeTurn(): Promise<void> | undefined {
  if (performance.now() - lastTurn < LONGEST_WAIT) return undefined;
  return new Promise((resolve) => {
    setImmediate(() => {
      lastTurn = performance.now();
      resolve();
    });
  });
}
