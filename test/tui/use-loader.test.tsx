import { EventEmitter } from 'node:events';
import test from 'ava';
import { render } from 'ink';
import type { ReactNode } from 'react';
import { useLoader } from '../../src/tui/hooks/use-loader.ts';
import { initialState } from '../../src/tui/state/initial-state.ts';
import { reduce } from '../../src/tui/state/reduce.ts';
import type { LoadRequest } from '../../src/tui/state/requests.ts';
import type { TuiAction, TuiState } from '../../src/tui/state/state.ts';
import { fakeImage } from './fake-image.ts';

interface Running {
  readonly request: LoadRequest;
  readonly signal: AbortSignal;
  readonly answer: (action: TuiAction) => void;
  readonly tell: (action: TuiAction) => void;
}

/** A loader whose answers the test gives when it likes. */
function mounted(initial: TuiState) {
  const running: Running[] = [];
  const dispatched: TuiAction[] = [];
  const load = (request: LoadRequest, signal: AbortSignal, tell: (action: TuiAction) => void): Promise<TuiAction> =>
    new Promise((answer) => running.push({ request, signal, answer, tell }));
  const dispatch = (action: TuiAction): void => void dispatched.push(action);
  function Probe({ state }: { state: TuiState }): ReactNode {
    useLoader(state, dispatch, load);
    return null;
  }
  const stdout = Object.assign(new EventEmitter(), { columns: 80, rows: 24, write: () => true });
  const ink = render(<Probe state={initial} />, {
    stdout: stdout as unknown as NodeJS.WriteStream,
    debug: true,
    patchConsole: false,
  });
  return {
    running,
    dispatched,
    show: (state: TuiState) => ink.rerender(<Probe state={state} />),
    end: () => ink.unmount(),
    of: (kind: string) => running.filter(({ request }) => request.kind === kind),
  };
}

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('what is wanted no longer is aborted, and its answer is dropped', async (t) => {
  const state = initialState(fakeImage({}).image, { columns: 80, rows: 24 });
  const probe = mounted(state);
  await tick();
  t.is(probe.of('details').length, 1);
  probe.show({ ...state });
  await tick();
  t.is(probe.of('details').length, 1, 'the same request is not sent twice');
  const [first] = probe.of('details');
  probe.show(reduce(state, { type: 'command', command: 'down' }));
  await tick();
  t.true(first!.signal.aborted);
  t.is(probe.of('details').length, 2);
  first!.answer({ type: 'details', subject: 0, result: { sections: [] } });
  await tick();
  t.deepEqual(probe.dispatched, []);
  probe.end();
});

test('a canceled task is aborted, and what it answers is still sent on; what is wanted no longer tells nothing', async (t) => {
  const state = initialState(fakeImage({}).image, { columns: 80, rows: 24 });
  const job = { kind: 'check', volumes: [] } as const;
  const task = { id: 7, job, subject: 0, progress: 'checking', isCanceled: false };
  const probe = mounted({ ...state, task });
  await tick();
  const [running] = probe.of('task');
  probe.show({ ...state, task: { ...task, isCanceled: true } });
  await tick();
  t.true(running!.signal.aborted);
  t.is(probe.of('task').length, 1);
  const ended: TuiAction = { type: 'task-ended', task: 7, summary: { text: 'canceled', tone: 'info' }, entries: [] };
  running!.answer(ended);
  await tick();
  t.deepEqual(probe.dispatched, [ended]);
  const [details] = probe.of('details');
  probe.show(reduce(state, { type: 'command', command: 'down' }));
  await tick();
  details!.tell(ended);
  t.is(probe.dispatched.length, 1);
  probe.end();
});

test('an answer is sent on once; leaving aborts what is under way', async (t) => {
  const state = initialState(fakeImage({}).image, { columns: 80, rows: 24 });
  const probe = mounted(state);
  await tick();
  const action: TuiAction = { type: 'details', subject: 0, result: { sections: [] } };
  probe.of('details')[0]!.answer(action);
  await tick();
  t.deepEqual(probe.dispatched, [action]);
  probe.end();
  await tick();
  t.true(probe.of('content')[0]!.signal.aborted);
});
