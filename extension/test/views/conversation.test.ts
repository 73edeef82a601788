import assert from "node:assert/strict";
import { test } from "node:test";
import { PAGE_SCHEME } from "../../src/server/protocol";
import { pageOf } from "../../src/views/conversation/uri";

test("a page is named after its file and carries the file's whole URI", () => {
  const source = { path: "/talks/a b.jsonl", toString: () => "file:///talks/a%20b.jsonl" };
  assert.deepEqual(pageOf(source), {
    scheme: PAGE_SCHEME,
    path: "/talks/a b.jsonl (conversation)",
    query: "file:///talks/a%20b.jsonl",
  });
});
