import assert from "node:assert/strict";
import { test } from "node:test";
import { legend, nextMode, spansByStep, stepOf } from "../../src/views/heat/scale";

test("heat goes from off to KL to base probability and back", () => {
  assert.deepEqual(
    [nextMode("off"), nextMode("kl"), nextMode("baseProbability")],
    ["kl", "baseProbability", "off"],
  );
});

test("steps are the same for every file: more KL is hotter, less base probability is hotter", () => {
  assert.deepEqual(
    [0, 0.1, 0.7, 1, 3, 100].map((kl) => stepOf("kl", kl)),
    [0, 1, 2, 3, 4, 5],
  );
  assert.deepEqual(
    [1, 0.5, 0.3, 0.1, 0.02, 0.005, 1e-9].map((prob) => stepOf("baseProbability", prob)),
    [0, 0, 1, 2, 3, 4, 5],
  );
  assert.deepEqual([stepOf("kl", null), stepOf("off", 3)], [0, 0]);
});

test("every token stands under its step, those without one under none", () => {
  const answer = { version: 1, ranges: [0, 1, 2, 0, 2, 5, 1, 0, 3], kl: [9, 0.01, 0.2], baseProb: [1, 1, 1] };
  const spans = spansByStep("kl", answer);
  assert.deepEqual(spans[4], [{ line: 0, start: 1, end: 2 }]);
  assert.deepEqual(spans[0], [{ line: 1, start: 0, end: 3 }]);
  assert.equal(spans.flat().length, 2);
});

test("the legend names what is shown and where each step begins", () => {
  assert.match(legend("kl"), /KL.*0\.1, 0\.5, 1, 2, 4 nats/);
  assert.match(legend("baseProbability"), /50 %, 20 %, 5 %, 1 %, 0\.1 %/);
});
