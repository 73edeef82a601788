import assert from "node:assert/strict";
import { test } from "node:test";
import { AGAINST, contexts, swaps } from "../../src/views/results/offers";

test("each way to swap says how many continuations it costs", () => {
  for (const ofResponse of [false, true]) {
    for (const { detail, value } of swaps(ofResponse)) {
      const continuations = (value.together ? 1 : (value.most ?? 1)) * 4 * (value.samples + 1);
      const what = value.together ? "answers" : "continuations";
      assert.match(detail, new RegExp(`\\b${continuations} ${what} of up to ${value.maxTokens ?? 40} tokens`));
    }
  }
});

test("from a response only its most shifted tokens are offered, at a token that one first", () => {
  assert.ok(swaps(true).every(({ value }) => value.most !== undefined));
  assert.equal(swaps(false)[0]?.value.most, undefined);
  assert.deepEqual(swaps(false).slice(-3), swaps(true));
});

test("no two offers look the same", () => {
  for (const offers of [swaps(false), AGAINST, contexts("template:x")]) {
    assert.equal(new Set(offers.map(({ label }) => label)).size, offers.length);
  }
});

test("a template of the settings is one more context to compare, a named one is there already", () => {
  const named = contexts("raw").map(({ value }) => value);
  assert.deepEqual(named, ["aligntds", "chat", "raw", "few-shot"]);
  assert.deepEqual(
    contexts("template:{{ x }}").map(({ value }) => value),
    [...named, "template:{{ x }}"],
  );
});
