import assert from "node:assert/strict";
import { test } from "node:test";
import type { ContinuePart } from "../../src/server/protocol";
import { Written } from "../../src/views/continuation/written";

const HEADER: ContinuePart = {
  models: { base: "b", aligned: "a" },
  said: " question!",
  notes: ["A note."],
  voices: [
    { name: "base", alpha: -1, seed: null },
    { name: "aligned", alpha: 0, seed: null },
  ],
  tokens: [],
};

test("a voice's text grows with its own tokens, and says why it ended", () => {
  const written = new Written(0);
  assert.ok(written.take(HEADER));
  assert.equal(written.said, " question!");
  assert.ok(!written.take({ tokens: [{ voice: 0, text: "The", end: null }] }));
  assert.ok(written.take({ tokens: [{ voice: 1, text: " idea", end: null }] }));
  assert.equal(written.ended, "");
  assert.ok(written.take({ tokens: [{ voice: 1, text: "", end: "end" }] }));
  assert.deepEqual([written.text, written.ended, written.notes], [" idea", "it ends the text", ["A note."]]);
});

test("before anything has come, nothing is said", () => {
  const written = new Written(-1);
  assert.ok(!written.take({ tokens: [{ voice: 0, text: "x", end: null }] }));
  assert.deepEqual([written.said, written.text, written.ended, written.notes], ["", "", "", []]);
});
