import assert from "node:assert/strict";
import { test } from "node:test";
import type { AnalysisAnswer } from "../../src/server/protocol";
import { describeFile, rowsOf } from "../../src/views/responses/rows";

function response(
  index: number,
  shifted: number | null,
  state: "scored" | "partial" | "pending" | "refused" | "notScored" = "scored",
) {
  const summary = shifted === null ? null : { tokens: 40, shifted, marginal: 4, unshifted: 36 - shifted };
  return { index, state, message: "", prompt: `Question ${index}`, turn: "", range: null, summary };
}

const ANSWER: AnalysisAnswer = {
  uri: "file:///talk.txt",
  state: "scoring",
  responses: [response(0, 2), response(1, null, "pending"), response(2, 10), response(3, 2)],
};

test("rows stand in the order of the file, with the words of the prompt and the share", () => {
  const rows = rowsOf(ANSWER);
  assert.deepEqual(
    rows.map(({ label }) => label),
    ["5.0 %", "waiting", "25.0 %", "5.0 %"],
  );
  assert.equal(rows[0]?.description, "Question 0 (2 of 40 shifted)");
  assert.equal(rows[1]?.description, "Question 1");
  assert.equal(rowsOf({ ...ANSWER, state: "notScored" })[1]?.label, "not scored");
  assert.match(rows[2]?.detail ?? "", /10 shifted, 4 marginal, 26 unshifted of 40 tokens/);
});

test("a response that is being scored says so, a refused one too, and one without a prompt has a number", () => {
  const responses = [response(0, 2, "partial"), response(1, null, "refused"), { ...response(2, 2), prompt: "" }];
  const rows = rowsOf({ ...ANSWER, responses });
  assert.equal(rows[0]?.description, "Question 0 (2 of 40 shifted so far)");
  assert.equal(rows[1]?.label, "can't be scored");
  assert.equal(rows[2]?.description, "Response 3 (2 of 40 shifted)");
});

test("shares by part are told where there is more than the answer, those by kind, and the turn in a file of several conversations", () => {
  const counts = { tokens: 40, shifted: 10, marginal: 4, unshifted: 26 };
  const byPart = [
    { kind: "answer", tokens: 10, shifted: 1, marginal: 4, unshifted: 5 },
    { kind: "reasoning", tokens: 30, shifted: 9, marginal: 0, unshifted: 21 },
  ];
  const byKind = [{ kind: "opener", tokens: 2, shifted: 2, marginal: 0, unshifted: 0 }];
  const byLossMask = [{ kind: "left out", tokens: 1, shifted: 0, marginal: 1, unshifted: 0 }];
  const one = {
    ...response(0, 10),
    turn: "conversation 2, turn 3, chosen",
    training: "the file says that this turn is trained on",
    summary: { ...counts, byPart, byKind, byLossMask },
  };
  const [row] = rowsOf({ ...ANSWER, responses: [one] });
  assert.equal(row?.label, "25.0 %");
  assert.equal(row?.description, "Question 0 (10 of 40 shifted; answer 10.0 %, reasoning 30.0 %)");
  assert.equal(
    row?.detail,
    [
      "Response 1 (conversation 2, turn 3, chosen)",
      "10 shifted, 4 marginal, 26 unshifted of 40 tokens",
      "answer: 1 shifted, 4 marginal, 5 unshifted of 10 tokens",
      "reasoning: 9 shifted, 0 marginal, 21 unshifted of 30 tokens",
      "kind opener: 2 shifted, 0 marginal, 0 unshifted of 2 tokens",
      "loss mask left out: 0 shifted, 1 marginal, 0 unshifted of 1 tokens",
      "the file says that this turn is trained on",
    ].join("\n"),
  );
});

test("a response of which no part is to be scored says so, and is no failure", () => {
  const left = { ...response(0, null, "notScored"), message: "This turn is a tool call alone." };
  const [row] = rowsOf({ ...ANSWER, responses: [left] });
  assert.equal(row?.label, "not scored");
  assert.match(row?.detail ?? "", /tool call alone/);
});

test("a file tells how much of all its scored responses was shifted", () => {
  assert.equal(describeFile(ANSWER), "4 responses, 11.7 % shifted");
  assert.equal(describeFile({ ...ANSWER, responses: [response(0, null, "pending")] }), "1 response");
  assert.equal(
    describeFile({ ...ANSWER, problems: 2 }, 3),
    "3 of 4 responses, 11.7 % shifted, 2 problems in the file",
  );
});

test("shares are of the tokens whose class is known, and the others are told of", () => {
  const counts = { tokens: 50, shifted: 10, marginal: 10, unshifted: 20, unknown: 10 };
  const none = { tokens: 5, shifted: 0, marginal: 0, unshifted: 0, unknown: 5 };
  const responses = [
    { ...response(0, 10), summary: counts },
    { ...response(1, 0), summary: none },
  ];
  const rows = rowsOf({ ...ANSWER, responses });
  assert.deepEqual(
    rows.map(({ label }) => label),
    ["25.0 %", "–"],
  );
  assert.equal(rows[0]?.description, "Question 0 (10 of 50 shifted, 10 of unknown class)");
  assert.match(rows[0]?.detail ?? "", /10 shifted, 10 marginal, 20 unshifted, 10 of unknown class, of 50 tokens/);
  assert.equal(describeFile({ ...ANSWER, responses }), "2 responses, 25.0 % shifted");
});
