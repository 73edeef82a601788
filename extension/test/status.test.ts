import assert from "node:assert/strict";
import { test } from "node:test";
import { statusText } from "../src/statusText";

test("work under way is busy and shows how far it is", () => {
  const shown = statusText({ state: "scoring", message: "response 2 of 3", fraction: 0.416 });
  assert.deepEqual(shown, {
    text: "ShiftLens: Scoring 42 %",
    detail: "response 2 of 3",
    busy: true,
    severity: "information",
  });
});

test("an error and a missing pair stand out", () => {
  assert.equal(statusText({ state: "error", message: "out of memory" }).severity, "error");
  assert.equal(statusText({ state: "noPair", message: "" }).severity, "warning");
});

test("a file that is not a transcript is no trouble", () => {
  const shown = statusText({ state: "noTranscript", message: "", fraction: null });
  assert.deepEqual([shown.busy, shown.severity], [false, "information"]);
});
