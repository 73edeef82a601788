import assert from "node:assert/strict";
import { test } from "node:test";
import { RestartQueue } from "../../src/server/restart";

/** A task that the test ends by hand. */
function steps() {
  const ends: { end: () => void; fail: (error: Error) => void }[] = [];
  const task = () =>
    new Promise<void>((end, fail) => {
      ends.push({ end, fail });
    });
  return { ends, queue: new RestartQueue(task) };
}

const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

test("requests during a run are answered together by one more run", async () => {
  const { ends, queue } = steps();
  const first = queue.request();
  const second = queue.request();
  assert.equal(queue.request(), second);
  assert.equal(ends.length, 1);
  ends[0]?.end();
  await first;
  await settled();
  assert.equal(ends.length, 2);
  ends[1]?.end();
  await second;
  await settled();
  assert.equal(ends.length, 2);
});

test("a run that fails does not hold up the next one", async () => {
  const { ends, queue } = steps();
  const first = queue.request();
  const second = queue.request();
  ends[0]?.fail(new Error("no"));
  await assert.rejects(first, /no/);
  await settled();
  ends[1]?.end();
  await second;
});

test("a request during the further run waits for one more", async () => {
  const { ends, queue } = steps();
  void queue.request();
  void queue.request();
  ends[0]?.end();
  await settled();
  const third = queue.request();
  assert.equal(ends.length, 2);
  ends[1]?.end();
  await settled();
  assert.equal(ends.length, 3);
  ends[2]?.end();
  await third;
});

test("a request after a run starts at once", async () => {
  const { ends, queue } = steps();
  const first = queue.request();
  ends[0]?.end();
  await first;
  void queue.request();
  assert.equal(ends.length, 2);
});
