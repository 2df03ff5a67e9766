import type { Finding, Severity } from '../../finding.ts';

/** Findings of one code that are kept; the rest are counted. */
const MAX_OF_A_CODE = 500;
/** Codes are a fixed set, but their sum must be bounded as well. */
const MAX_FINDINGS = 20_000;

/** What a pass found, before paths are known. */
export interface Problem {
  /** `error` unless said otherwise. */
  readonly severity?: Severity;
  readonly code: string;
  readonly structure: string;
  readonly offset?: number | undefined;
  readonly message: string;
  /** Inodes whose paths are its owners. */
  readonly inodes?: readonly number[];
}

/** Collects what the passes find, within bounds. */
export class Findings {
  readonly #kept: Problem[] = [];
  readonly #counts = new Map<string, number>();
  #errors = 0;

  add(problem: Problem): void {
    if ((problem.severity ?? 'error') === 'error') this.#errors++;
    const count = (this.#counts.get(problem.code) ?? 0) + 1;
    this.#counts.set(problem.code, count);
    if (count <= MAX_OF_A_CODE && this.#kept.length < MAX_FINDINGS) this.#kept.push(problem);
  }

  get errorCount(): number {
    return this.#errors;
  }

  get problems(): readonly Problem[] {
    return this.#kept;
  }

  /** How many of each code were found and not kept. */
  *leftOut(): Generator<Finding, void> {
    const kept = new Map<string, number>();
    for (const { code } of this.#kept) kept.set(code, (kept.get(code) ?? 0) + 1);
    for (const [code, count] of this.#counts) {
      const more = count - (kept.get(code) ?? 0);
      if (more > 0)
        yield { severity: 'note', code, structure: 'filesystem', message: `${more} more of these are not listed` };
    }
  }
}
