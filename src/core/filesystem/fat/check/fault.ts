import type { Finding } from '../../finding.ts';

/** Takes what a part of the check finds, in the order that it finds it. */
export type Sink = (finding: Finding) => void;

/** A finding about the slot of a directory. */
export function slotFinding(
  severity: Finding['severity'],
  code: string,
  structure: 'directory entry' | 'long name entry',
  offset: number,
  message: string,
  ...owners: readonly string[]
): Finding {
  return { severity, code, structure, offset, message, owners };
}
