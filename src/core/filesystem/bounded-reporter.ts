import type { Diagnostic } from '../format.ts';

/** Diagnostics of one filesystem beyond this are not kept: a hostile directory has one for every slot. */
const MAX_REPORTS = 200;

/** Passes diagnostics on, each place once however often it is read, and only so many of them. */
export class BoundedReporter {
  readonly #report: (diagnostic: Diagnostic) => void;
  readonly #places = new Set<string>();

  constructor(report: (diagnostic: Diagnostic) => void) {
    this.#report = report;
  }

  report(diagnostic: Diagnostic): void {
    const place = `${diagnostic.structure}\n${diagnostic.offset}\n${diagnostic.message}`;
    if (this.#places.size > MAX_REPORTS || this.#places.has(place)) return;
    this.#places.add(place);
    if (this.#places.size <= MAX_REPORTS) this.#report(diagnostic);
    else
      this.#report({ layer: diagnostic.layer, message: `more than ${MAX_REPORTS} oddities: the rest is not listed` });
  }
}
