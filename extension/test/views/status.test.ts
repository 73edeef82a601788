import assert from "node:assert/strict";
import { test } from "node:test";
import manifest from "../../package.json";
import type { State } from "../../src/server/protocol";
import { shortDetail, statusText } from "../../src/views/statusText";

const ALL: Record<State, string> = {
  noTranscript: "No transcript",
  noResponse: "Nothing to score",
  noPair: "No model pair",
  notScored: "Not scored",
  waiting: "Waiting",
  loading: "Loading models",
  scoring: "Scoring",
  ready: "Shifts shown",
  error: "Error",
};

test("every state has words, and what it offers is a command of the extension", () => {
  const commands = manifest.contributes.commands.map(({ command }) => command);
  for (const [state, words] of Object.entries(ALL)) {
    const { text, action } = statusText({ state: state as State, message: "" });
    assert.equal(text, `ShiftLens: ${words}`);
    assert.equal(action === undefined, state === "noTranscript" || state === "noResponse", state);
    assert.ok(action === undefined || commands.includes(action.command), action?.command);
  }
});

test("loading shows how far it is", () => {
  const shown = statusText({ state: "loading", message: "Loading org/base", fraction: 0.4317 });
  assert.equal(shown.text, "ShiftLens: Loading models 43 %");
  assert.equal(shown.detail, "Loading org/base");
  assert.deepEqual([shown.busy, shown.action?.title], [true, "Cancel"]);
});

test("scoring counts responses", () => {
  const shown = statusText({ state: "scoring", message: "", fraction: 0.416, part: [2, 5] });
  assert.deepEqual([shown.text, shown.busy], ["ShiftLens: Scoring 2 of 5", true]);
});

test("a file that is scored in part says how far, and is not busy", () => {
  const shown = statusText({ state: "notScored", message: "", part: [1, 3] });
  assert.deepEqual([shown.text, shown.busy], ["ShiftLens: Scored 1 of 3", false]);
  assert.equal(shown.action?.title, "Score");
});

test("an error and a missing pair stand out, and offer a way on", () => {
  const error = statusText({ state: "error", message: "out of memory" });
  assert.deepEqual([error.severity, error.action?.title], ["error", "Try Again"]);
  const noPair = statusText({ state: "noPair", message: "" });
  assert.deepEqual([noPair.severity, noPair.action?.title], ["warning", "Choose Models"]);
});

test("a long detail is cut where words end, so that the action behind it stays on the screen", () => {
  const short = (message: string) => shortDetail(statusText({ state: "error", message }));
  assert.equal(short("It went wrong."), "It went wrong.");
  assert.equal(
    short("There is no model folder at /home/somebody/models. Give another."),
    "There is no model folder at…",
  );
  assert.equal(short(`/${"x".repeat(200)}`).length, 39);
});

test("a file that is not a transcript is no trouble", () => {
  const shown = statusText({ state: "noTranscript", message: "", fraction: null, part: null });
  assert.deepEqual([shown.busy, shown.severity], [false, "information"]);
});
