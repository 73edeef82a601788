import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import { LastLines, readLines } from "../../src/server/lines";

test("lines are read whole wherever the chunks are cut, and the last one needs no end", async () => {
  const lines: string[] = [];
  const bytes = Buffer.from("one\n\n  \ntwo\r\nçà\rth");
  const chunks = [bytes.subarray(0, 8), bytes.subarray(8, 11), bytes.subarray(11, 12), bytes.subarray(12)];
  await readLines(Readable.from([...chunks, Buffer.from("ree")]), (line) => lines.push(line));
  assert.deepEqual(lines, ["one", "two", "çà", "three"]);
});

test("only the last lines are remembered, the last one last, and none is too long for a message", () => {
  const last = new LastLines();
  for (let number = 1; number <= 1000; number++) {
    last.add(`line ${number}  `);
  }
  assert.equal(last.all().length, 12);
  assert.equal(last.all().at(-1), "line 1000");
  last.add("x".repeat(1e6));
  assert.ok((last.all().at(-1) ?? "").length < 10_000);
});
