/** What went wrong first, where closing what was open failed as well: on a full disk both do. */
export function firstError(error: unknown): unknown {
  let first = error;
  while (first instanceof SuppressedError) first = first.suppressed;
  return first;
}
