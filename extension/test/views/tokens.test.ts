import assert from "node:assert/strict";
import { test } from "node:test";
import { spansOfType } from "../../src/views/tokens";

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
