import assert from "node:assert/strict";
import { test } from "node:test";
import type { AnalysisAnswer, ResponseState } from "../../src/server/protocol";
import { parseFilter, passes, suggestions, toggled } from "../../src/views/responses/filter";
import { isOrder, type Order, sorted } from "../../src/views/responses/order";
import { type Row, rowsOf } from "../../src/views/responses/rows";

interface Given {
  prompt: string;
  shifted: number | null;
  tokens?: number;
  marginal?: number;
  state?: ResponseState;
  label?: string;
  notes?: string[];
}

function rows(...given: Given[]): Row[] {
  const answer: AnalysisAnswer = {
    uri: "file:///talk.txt",
    state: "ready",
    models: { base: "org/small", aligned: "org/small-chat" },
    responses: given.map(
      ({ prompt, shifted, tokens = 100, marginal = 0, state = "scored", label = "", notes }, index) => ({
        index,
        state,
        message: state === "refused" ? "It is too long." : "",
        prompt,
        turn: label,
        label,
        range: null,
        summary: shifted === null ? null : { tokens, shifted, marginal, unshifted: tokens - shifted - marginal },
        notes: notes ?? [],
      }),
    ),
  };
  return rowsOf(answer);
}

const ROWS = rows(
  { prompt: "What is a bat?", shifted: 7, label: "gpt two" },
  { prompt: "What is butter?", shifted: 20, marginal: 5, notes: ["The context was shortened."] },
  { prompt: "Not yet", shifted: null, state: "pending" },
  { prompt: "Far too long", shifted: null, state: "refused", label: "a model" },
  { prompt: "A problem of arithmetic", shifted: 0, tokens: 10 },
);

/** The indices of the rows that a filter lets through. */
function shown(text: string): number[] {
  const filter = parseFilter(text);
  assert.ok(filter.kind === "filter", text);
  return ROWS.filter((row) => passes(filter, row, "talk.txt")).map(({ index }) => index);
}

test("without a filter every response is shown", () => {
  assert.deepEqual(shown("  "), [0, 1, 2, 3, 4]);
});

test("a share is compared exactly, and what has no scores passes no comparison", () => {
  assert.deepEqual(shown("shifted>7"), [1]);
  assert.deepEqual(shown("shifted>=7%"), [0, 1]);
  assert.deepEqual(shown("shifted=7"), [0]);
  assert.deepEqual(shown("shifted<1000"), [0, 1, 4]);
  assert.deepEqual(shown("marginal>4.5"), [1]);
  assert.deepEqual(shown("tokens<100"), [4]);
});

test("a class, a model, a problem and missing scores can be asked for", () => {
  assert.deepEqual(shown("class:marginal"), [1]);
  assert.deepEqual(shown("class:shifted"), [0, 1]);
  assert.deepEqual(shown("model:SMALL-chat"), [0, 1, 2, 3, 4]);
  assert.deepEqual(shown('model:"gpt two"'), [0]);
  assert.deepEqual(shown("problem"), [1, 3]);
  assert.deepEqual(shown("unscored"), [2]);
});

test("words are looked for in the prompt, the turn and the file's name, and quotes make words of a term", () => {
  assert.deepEqual(shown("what BAT"), [0]);
  assert.deepEqual(shown('"is b"'), [1]);
  assert.deepEqual(shown('"problem"'), [4]);
  assert.deepEqual(shown("talk.txt gpt"), [0]);
});

test("all terms must hold, and a minus turns one round", () => {
  assert.deepEqual(shown("what shifted>10"), [1]);
  assert.deepEqual(shown("-what -problem"), [2, 4]);
});

test("what is no filter is answered by a problem that says what to write", () => {
  for (const [text, problem] of [
    ["shifted>", /"shifted>" has no number: write .* shifted>10/],
    ["marginal>=much", /"marginal>=much" has no number/],
    ["class:red", /"class:red" names no class: write class:shifted/],
    ["what -model:", /"model:" names no model/],
  ] as const) {
    const found = parseFilter(text);
    assert.ok(found.kind === "problem", text);
    assert.match(found.problem, problem);
  }
});

test("a term is put in once and taken out again", () => {
  assert.equal(toggled("", "problem"), "problem");
  assert.equal(toggled('bat model:"gpt two"', "problem"), 'bat model:"gpt two" problem');
  assert.equal(toggled('bat model:"gpt two" problem', 'model:"gpt two"'), "bat problem");
});

test("the terms that are offered are those that some response passes, with how many do", () => {
  const offered = new Map(
    suggestions(ROWS.map((row) => ({ row, file: "talk.txt" }))).map((each) => [each.term, each.count]),
  );
  assert.equal(offered.get("shifted>10"), 1);
  assert.equal(offered.get("shifted>5"), 2);
  assert.equal(offered.has("shifted>20"), false);
  assert.equal(offered.get("problem"), 2);
  assert.equal(offered.get('model:"gpt two"'), 1);
  assert.equal(offered.get("model:org/small"), 5);
});

function indices(order: Order): number[] {
  return sorted(ROWS, order, (row) => row).map(({ index }) => index);
}

test("the largest share comes first, equals stay in the order of the file, and those without scores come last", () => {
  assert.deepEqual(indices("file"), [0, 1, 2, 3, 4]);
  assert.deepEqual(indices("shifted"), [1, 0, 4, 2, 3]);
  assert.deepEqual(indices("marginal"), [1, 0, 4, 2, 3]);
  assert.deepEqual(indices("unshifted"), [4, 0, 1, 2, 3]);
});

test("responses of one writer stand together, and what can't be scored comes before what has a note", () => {
  assert.deepEqual(indices("model"), [1, 2, 4, 3, 0]);
  assert.deepEqual(indices("problem"), [3, 1, 0, 2, 4]);
});

test("an order that another version stored is known or left alone", () => {
  assert.deepEqual(["shifted", "file", "place", "toString", 3].map(isOrder), [true, true, false, false, false]);
});
