import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fixed, percent } from "../src/panel/format";
import { pageHtml } from "../src/panel/html";

test("probabilities are percentages, tiny ones in powers of ten, unknown ones a dash", () => {
  assert.equal(percent(0.12345), "12.35 %");
  assert.equal(percent(0), "0.00 %");
  assert.equal(percent(6.6e-5), "0.0066 %");
  assert.equal(percent(2.5e-7), "2.5e-5 %");
  assert.equal(percent(null), "–");
  assert.equal(fixed(null, 2), "–");
  assert.equal(fixed(1.005, 1), "1.0");
});

test("the page runs its own script and nothing else", () => {
  const html = pageHtml({
    cspSource: "https://own",
    nonce: "abc",
    script: "https://own/panel.js",
    style: "s.css",
  });
  assert.match(html, /default-src 'none'; style-src https:\/\/own; script-src 'nonce-abc'"/);
  assert.doesNotMatch(html, /unsafe/);
});

test("the page never makes HTML of text", () => {
  const source = readFileSync("src/panel/page.ts", "utf8");
  assert.doesNotMatch(source, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|srcdoc/);
});
