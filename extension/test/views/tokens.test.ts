import assert from "node:assert/strict";
import { test } from "node:test";
import { nextSpan, previousSpan, spansOfType } from "../../src/views/tokens";

const TYPES = ["shifted", "marginal", "unshifted"];
// Line 1: shifted 2-5, unshifted 5-6, shifted 8-9. Line 3: shifted 4-6.
const DATA = [1, 2, 3, 0, 0, 0, 3, 1, 2, 0, 0, 3, 1, 0, 0, 2, 4, 2, 0, 1];
const SHIFTED = [
  { line: 1, start: 2, end: 5 },
  { line: 1, start: 8, end: 9 },
  { line: 3, start: 4, end: 6 },
];

test("relative tokens become spans of the type that was asked for", () => {
  assert.deepEqual(spansOfType(DATA, TYPES, "shifted"), SHIFTED);
  assert.deepEqual(spansOfType(DATA, TYPES, "unshifted"), [{ line: 1, start: 5, end: 6 }]);
  assert.deepEqual(spansOfType(DATA, ["a", "b", "c"], "shifted"), []);
  assert.deepEqual(spansOfType([], TYPES, "shifted"), []);
});

test("the next span is the first that starts behind the cursor, and after the last comes the first", () => {
  assert.deepEqual(nextSpan(SHIFTED, { line: 0, character: 0 }), SHIFTED[0]);
  assert.deepEqual(nextSpan(SHIFTED, { line: 1, character: 2 }), SHIFTED[1]);
  assert.deepEqual(nextSpan(SHIFTED, { line: 2, character: 99 }), SHIFTED[2]);
  assert.deepEqual(nextSpan(SHIFTED, { line: 3, character: 4 }), SHIFTED[0]);
});

test("the previous span is the last that starts before the cursor, and before the first comes the last", () => {
  assert.deepEqual(previousSpan(SHIFTED, { line: 3, character: 4 }), SHIFTED[1]);
  assert.deepEqual(previousSpan(SHIFTED, { line: 1, character: 4 }), SHIFTED[0]);
  assert.deepEqual(previousSpan(SHIFTED, { line: 1, character: 2 }), SHIFTED[2]);
});

test("without spans there is nowhere to go", () => {
  assert.equal(nextSpan([], { line: 0, character: 0 }), undefined);
  assert.equal(previousSpan([], { line: 0, character: 0 }), undefined);
});
