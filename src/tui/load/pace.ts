/** How often the screen is told of progress, in milliseconds: often enough to look alive, and few enough to cost nothing. */
const PACE_MS = 150;

/** Whether it is time to tell again; the first time after `PACE_MS`. */
export function pace(): () => boolean {
  let last = performance.now();
  return () => {
    const now = performance.now();
    if (now - last < PACE_MS) return false;
    last = now;
    return true;
  };
}
