import assert from "node:assert/strict";
import { test } from "node:test";
import { shownTokens, spliced } from "../../src/views/colours/paint";
import { spansOfType } from "../../src/views/tokens";

const TYPES = ["shifted", "marginal", "unshifted"];
const UNSHIFTED = 2;
// Line 1: shifted 2-5, unshifted 5-6, marginal 8-9. Line 3: unshifted 1-2, shifted 4-6.
const DATA = [1, 2, 3, 0, 0, 0, 3, 1, 2, 0, 0, 3, 1, 1, 0, 2, 1, 1, 2, 0, 0, 3, 2, 0, 1];

test("what is left out does not move what is shown", () => {
  const shown = shownTokens(DATA, { hidden: UNSHIFTED, extraModifiers: 0 });
  for (const type of ["shifted", "marginal"]) {
    assert.deepEqual(spansOfType(shown, TYPES, type), spansOfType(DATA, TYPES, type), type);
  }
  assert.deepEqual(spansOfType(shown, TYPES, "unshifted"), []);
});

test("with nothing left out and nothing added, tokens stay as they are", () => {
  assert.deepEqual([...shownTokens(DATA, { hidden: undefined, extraModifiers: 0 })], DATA);
});

test("every token gets the palette's modifier on top of its own", () => {
  const shown = shownTokens(DATA, { hidden: undefined, extraModifiers: 8 });
  assert.deepEqual(
    [4, 9, 14, 19, 24].map((at) => shown[at]),
    [8, 8, 8, 8, 9],
  );
});

test("splices all refer to the integers before any of them", () => {
  const splices = [
    { start: 0, deleteCount: 1, data: [7, 8] },
    { start: 3, deleteCount: 2 },
  ];
  assert.deepEqual([...spliced([1, 2, 3, 4, 5, 6], splices)], [7, 8, 2, 3, 6]);
  assert.deepEqual([...spliced([1, 2], [])], [1, 2]);
});
