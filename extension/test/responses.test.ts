import assert from "node:assert/strict";
import { test } from "node:test";
import type { AnalysisAnswer } from "../src/protocol";
import { describeFile, rowsOf } from "../src/responses/rows";

function response(
  index: number,
  shifted: number | null,
  state: "scored" | "partial" | "pending" | "refused" = "scored",
) {
  const summary = shifted === null ? null : { tokens: 40, shifted, marginal: 4, unshifted: 36 - shifted };
  return { index, state, message: "", prompt: `Question ${index}`, range: null, summary };
}

const ANSWER: AnalysisAnswer = {
  uri: "file:///talk.txt",
  state: "scoring",
  responses: [response(0, 2), response(1, null, "pending"), response(2, 10), response(3, 2)],
};

test("rows stand in the order of the file, with the words of the prompt and the share", () => {
  const rows = rowsOf(ANSWER, "file");
  assert.deepEqual(
    rows.map(({ label }) => label),
    ["5.0 %", "waiting", "25.0 %", "5.0 %"],
  );
  assert.equal(rows[0]?.description, "Question 0 (2 of 40 shifted)");
  assert.equal(rows[1]?.description, "Question 1");
  assert.equal(rowsOf({ ...ANSWER, state: "notScored" }, "file")[1]?.label, "not scored");
  assert.match(rows[2]?.detail ?? "", /10 shifted, 4 marginal, 26 unshifted of 40 tokens/);
});

test("the most shifted come first if asked for, those without scores last, equals in the order of the file", () => {
  assert.deepEqual(
    rowsOf(ANSWER, "shifted").map(({ index }) => index),
    [2, 0, 3, 1],
  );
});

test("a response that is being scored says so, a refused one too, and one without a prompt has a number", () => {
  const responses = [response(0, 2, "partial"), response(1, null, "refused"), { ...response(2, 2), prompt: "" }];
  const rows = rowsOf({ ...ANSWER, responses }, "file");
  assert.equal(rows[0]?.description, "Question 0 (2 of 40 shifted so far)");
  assert.equal(rows[1]?.label, "can't be scored");
  assert.equal(rows[2]?.description, "Response 3 (2 of 40 shifted)");
});

test("a file tells how much of all its scored responses was shifted", () => {
  assert.equal(describeFile(ANSWER), "4 responses, 11.7 % shifted");
  assert.equal(describeFile({ ...ANSWER, responses: [response(0, null, "pending")] }), "1 response");
});
