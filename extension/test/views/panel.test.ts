import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { Side, Stages, Token, TokenAnswer } from "../../src/server/protocol";
import { percent } from "../../src/views/panel/format";
import { pageHtml } from "../../src/views/panel/html";

test("probabilities are percentages, tiny ones in powers of ten, unknown ones a dash", () => {
  assert.equal(percent(0.12345), "12.35 %");
  assert.equal(percent(0), "0.00 %");
  assert.equal(percent(6.6e-5), "0.0066 %");
  assert.equal(percent(2.5e-7), "2.5e-5 %");
  assert.equal(percent(null), "–");
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
  const source = readFileSync("src/views/panel/page.ts", "utf8");
  assert.doesNotMatch(source, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|srcdoc/);
});

/** As much of an element of a page as the panel's script uses. */
class Element {
  readonly dataset: Record<string, string> = {};
  readonly style: Record<string, string> = {};
  readonly attributes = new Map<string, string>();
  children: (Element | string)[] = [];

  constructor(readonly tag: string) {}

  setAttribute(name: string, value: string): void {
    this.attributes.set(name, value);
  }

  append(...children: (Element | string)[]): void {
    this.children.push(...children);
  }

  replaceChildren(...children: (Element | string)[]): void {
    this.children = children;
  }

  addEventListener(): void {}

  set textContent(text: string) {
    this.children = [text];
  }

  get textContent(): string {
    return this.children.map((child) => (typeof child === "string" ? child : child.textContent)).join("");
  }

  all(tag: string): Element[] {
    const inside = this.children.flatMap((child) => (typeof child === "string" ? [] : child.all(tag)));
    return this.tag === tag ? [this, ...inside] : inside;
  }
}

const SIDE: Side = { id: 1, rank: 1, logprob: -1, prob: 0.4, entropy: 1, missingMass: 0.6, top: [] };
const TOKEN: Token = {
  index: 0,
  id: 1,
  text: "Good",
  class: "shifted",
  isEnd: false,
  part: "answer",
  special: true,
  boundary: true,
  offGreedy: true,
  shortened: ["base"],
  base: SIDE,
  aligned: SIDE,
  baseRankOfAlignedTop: 2,
  realigned: null,
  reference: null,
  kl: 1,
  jaccard: 0,
};

const ids = new Map(["content", "spoken"].map((id) => [id, new Element("main")]));
let hear: (event: { data: unknown }) => void = () => assert.fail("the page does not listen");
Object.assign(globalThis, {
  acquireVsCodeApi: () => ({ postMessage: () => {} }),
  document: {
    body: new Element("body"),
    createElement: (tag: string) => new Element(tag),
    getElementById: (id: string) => ids.get(id),
  },
  window: { addEventListener: (_: string, listener: typeof hear) => (hear = listener) },
});
// Not `import`: the page is checked by itself, with the types of a browser.
require("../../src/views/panel/page");

/** The content of the page for these tokens. */
function shown(...tokens: Token[]): Element {
  const answer: TokenAnswer = {
    uri: "file:///a",
    version: 1,
    analysedVersion: 1,
    responseIndex: 0,
    turn: "",
    tokenCount: 2,
    partial: false,
    refusal: null,
    range: null,
    models: { base: "b", aligned: "a" },
    baseContext: "aligntds",
    prefix: null,
    notes: [],
    tokens,
  };
  hear({ data: { kind: "token", answer, palette: "classic" } });
  return ids.get("content") ?? assert.fail("the page has no content");
}

/** The texts of all elements of a kind. */
function texts(of: Element, tag: string): string[] {
  return of.all(tag).map((each) => each.textContent);
}

test("the page lists every fact of every token as the server words it, and none of its own", () => {
  const kinds = ["special", "boundary", "shortened", "offGreedy", "realigned", "newer than this page"];
  const facts = kinds.map((kind) => ({ kind, label: kind, text: "<b>so</b>", sentence: `${kind}: <b>so</b>` }));
  const lists = shown({ ...TOKEN, facts }, { ...TOKEN, facts: facts.slice(1) }, TOKEN).all("ul");
  const sentences = facts.map((fact) => fact.sentence);
  assert.deepEqual(
    lists.map((list) => texts(list, "li")),
    [sentences, sentences.slice(1), []],
  );
});

test("the page has a row for each stage, the first that moved the token, and why a stage has no numbers", () => {
  const nothing = { rank: null, rankText: null, prob: null, moved: null };
  const stages: Stages = {
    rows: [
      {
        model: "<b>sft</b>",
        rank: null,
        rankText: "above 20",
        prob: 0.25,
        moved: true,
        problem: null,
        notes: ["Shortened."],
      },
      { model: "dpo", ...nothing, problem: "It can't be loaded.", notes: [] },
    ],
    first: 0,
    known: true,
    sentence: "First moved by stage 1.",
  };
  const page = shown({ ...TOKEN, stages });
  const sections = page.all("section").filter((each) => each.attributes.get("class") === "stages");
  assert.equal(sections.length, 1);
  const [section = assert.fail()] = sections;
  const [, first = assert.fail(), second = assert.fail()] = section.all("tr");
  assert.deepEqual(texts(first, "td").slice(0, 4), ["1", "<b>sft</b>", "above 20", "25.00 %"]);
  assert.deepEqual(texts(second, "td").slice(0, 4), ["2", "dpo", "–", "–"]);
  assert.match(first.attributes.get("class") ?? "", /moved-first/);
  assert.doesNotMatch(second.attributes.get("class") ?? "", /moved-first/);
  assert.deepEqual(texts(section, "p"), [
    "First moved by stage 1.",
    "Stage 1: Shortened.",
    "Stage 2: It can't be loaded.",
  ]);
});

test("without stages the page says nothing of them", () => {
  assert.doesNotMatch(shown(TOKEN).textContent, /stage/i);
});
