import type { Image } from '../../src/core/index.ts';
import type { Command } from '../../src/tui/keymap.ts';
import { createLoader, type Loader } from '../../src/tui/load/load.ts';
import { initialState, type StartOptions } from '../../src/tui/state/initial-state.ts';
import { reduce } from '../../src/tui/state/reduce.ts';
import { wantedRequests } from '../../src/tui/state/requests.ts';
import type { TuiAction, TuiState } from '../../src/tui/state/state.ts';
import { selectedRow } from '../../src/tui/state/tree.ts';
import { itemLabel } from '../../src/tui/text/item-label.ts';

/** More rounds than any test needs: a state that is never satisfied is a failure, not a hang. */
const MAX_ROUNDS = 1000;

/** The interface without a terminal: commands go to the reducer, what the state wants is loaded until it wants no more. */
export class Driver {
  state: TuiState;
  readonly #load: Loader;

  constructor(image: Image, options: StartOptions & { readonly columns?: number; readonly rows?: number } = {}) {
    const { columns = 80, rows = 24 } = options;
    this.state = initialState(image, { columns, rows }, options);
    this.#load = createLoader(image);
  }

  send(action: TuiAction): void {
    this.state = reduce(this.state, action);
  }

  press(...commands: readonly Command[]): void {
    for (const command of commands) this.send({ type: 'command', command });
  }

  type(text: string): void {
    this.send({ type: 'typed', text });
  }

  async settle(): Promise<this> {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const [request] = wantedRequests(this.state);
      if (request === undefined) return this;
      const controller = new AbortController();
      if (request.kind === 'task' && request.isCanceled) controller.abort();
      this.send(await this.#load(request, controller.signal, (action) => this.send(action)));
    }
    throw new Error('the state never stops wanting');
  }

  async goto(text: string): Promise<this> {
    this.press('goto');
    this.type(text);
    this.press('prompt-accept');
    return this.settle();
  }

  /** What the selected row says. */
  get selected(): string {
    return itemLabel(selectedRow(this.state.tree).item, this.state.contents).text;
  }

  get labels(): string[] {
    return this.state.tree.rows.map(({ item }) => itemLabel(item, this.state.contents).text);
  }
}
