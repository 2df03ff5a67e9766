import type { Diagnostic, OpenContext } from '../../src/core/index.ts';
import { DiskError } from '../../src/core/index.ts';

/** A context for opening a format on its own: diagnostics are kept, references refused. */
export function testContext(): OpenContext & { readonly diagnostics: Diagnostic[] } {
  const diagnostics: Diagnostic[] = [];
  return {
    diagnostics,
    report: (diagnostic) => diagnostics.push(diagnostic),
    openReference: async (reference) => {
      throw new DiskError('DENIED', { layer: 'test', structure: reference.name });
    },
  };
}
