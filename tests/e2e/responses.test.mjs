// The Responses view: what it lists, in which order, and where a click leads.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openFile, startBrowser } from "./lib/page.mjs";
import { modelPair } from "./lib/pair.mjs";
import { PYTHON } from "./lib/paths.mjs";
import { startVsCode } from "./lib/vscode.mjs";

const FILLER = "It hunts at night and finds its way by listening to echoes. ".repeat(2).trim();
const CHAT = [
  "User: Tell me about the night in as few words as you can find.",
  `Assistant: ${FILLER}`,
  "",
  "User: What is a bat?",
  "Assistant: Great question! I hope this helps!",
  "",
].join("\n");
const OTHER = "User: Another one, please.\nAssistant: You're welcome! Butter is a solid fat.\n";

let browser;
let code;
let pair;
let editor;
let view;

before(async () => {
  [browser, pair] = await Promise.all([startBrowser(), modelPair()]);
  const settings = { ...pair.settings, "shiftlens.interpreter": PYTHON };
  code = await startVsCode({
    name: "responses",
    settings,
    files: { "chat.txt": CHAT, "other.txt": OTHER, "shopping.txt": "Milk and eggs.\n" },
  });
  editor = await openFile(browser, code, "chat.txt");
  await editor.waitForStatus("Shifts shown");
  view = await editor.responses();
});

after(async () => {
  await editor?.screenshot("responses-last");
  await browser?.close();
  await code?.stop();
  await pair?.remove();
});

/** The rows of the view, as a screen reader hears them. */
async function rows() {
  // All at once: a row may go while the others are read.
  const found = await view.locator(".monaco-list-row").allInnerTexts();
  return found.map((text) => text.replace(/\s+/g, " ").trim());
}

async function rowsWhen(what, holds) {
  return editor.until(what, async () => {
    const found = await rows();
    if (!holds(found)) {
      throw new Error(JSON.stringify(found));
    }
    return found;
  });
}

function shareOf(row) {
  const [, share] = /^([\d.]+) %(?!.* responses?,)/.exec(row) ?? [];
  return share === undefined ? undefined : Number(share);
}

test("responses stand under their file, each with its prompt and its share of shifted tokens", async () => {
  const found = await rowsWhen(
    "three rows",
    (all) => all.filter((row) => shareOf(row) !== undefined).length === 2,
  );
  await editor.screenshot("responses");
  assert.match(found[0], /^chat\.txt ?2 responses, [\d.]+ % shifted$/);
  assert.match(found[1], /^[\d.]+ % ?Tell me about the night/);
  assert.match(found[2], /^[\d.]+ % ?What is a bat\? \(\d+ of \d+ shifted\)$/);
});

/** Click a button in the title of the view. */
async function press(name) {
  await view.hover();
  await view.getByRole("button", { name, exact: true }).first().click();
}

test("the most shifted come first when asked for", async () => {
  const before = (await rows()).slice(1, 3);
  const sorted = [...before].sort((a, b) => shareOf(b) - shareOf(a));
  await press("Sort Responses...");
  await editor.rows("the orders", (all) => all.length === 6);
  await editor.screenshot("responses-sort");
  await editor.pick("Most Shifted First");
  await rowsWhen("the order by share", (all) => all[1] === sorted[0] && all[2] === sorted[1]);
  await press("Sort Responses...");
  await editor.pick("Order of the File");
  await rowsWhen("the order of the file", (all) => all[1] === before[0] && all[2] === before[1]);
});

test("a filter by share, typed, leaves those above it, says how many they are, and can be taken away", async () => {
  const all = await rows();
  const [first, second] = all.slice(1, 3).map(shareOf);
  assert.notEqual(first, second);
  const between = ((first + second) / 2).toFixed(2);
  const larger = all[first > second ? 1 : 2];
  await press("Filter Responses...");
  const input = editor.page.locator(".quick-input-widget input.input");
  await input.fill("shifted>");
  await editor.page.getByText('"shifted>" has no number').first().waitFor();
  await input.fill(`shifted>${between}`);
  await editor.page.getByText("Shows 1 of 2 responses.").first().waitFor();
  await editor.screenshot("responses-filter");
  await editor.page.keyboard.press("Enter");
  await rowsWhen("the one above it", (found) => found.length === 2 && found[1] === larger);
  assert.match((await rows())[0], /^chat\.txt ?1 of 2 responses, /);
  await view.getByText(`Filter: shifted>${between} (1 of 2 responses)`).waitFor();
  await editor.screenshot("responses-filtered");
  await press("Show All Responses");
  await rowsWhen("both again", (found) => found.length === 3 && found[1] === all[1]);
});

test("the terms that some response passes are offered, and one that is chosen is in the filter", async () => {
  await press("Filter Responses...");
  const widget = editor.page.locator(".quick-input-widget");
  await widget.getByRole("button", { name: "Choose a Term" }).click();
  const offered = await editor.rows("the terms", (found) => found.length > 2);
  await editor.screenshot("responses-terms");
  assert.ok(
    offered.some((row) => /^class:shifted ?2 of 2$/.test(row)),
    JSON.stringify(offered),
  );
  assert.ok(
    offered.some((row) => row.startsWith("model:")),
    JSON.stringify(offered),
  );
  assert.ok(!offered.some((row) => row.startsWith("problem")), "no response has one");
  await editor.pick("class:shifted");
  await editor.page.getByText("Shows 2 of 2 responses.").first().waitFor();
  assert.equal(await widget.locator("input.input").inputValue(), "class:shifted");
  await editor.page.keyboard.press("Escape");
  await widget.waitFor({ state: "hidden" });
});

test("a click on a response goes to it", async () => {
  await view.locator(".monaco-list-row", { hasText: "What is a bat?" }).click();
  await editor.until("the cursor in the response", async () => {
    const { line, column } = await editor.cursor();
    return line === 5 && column === "Assistant: ".length + 1;
  });
});

test("an edit brings new figures", async () => {
  const before = await rows();
  await editor.click(await editor.find("helps!"));
  await editor.page.keyboard.type("really and truly ");
  await rowsWhen("other figures", (all) => all[2] && shareOf(all[2]) !== undefined && all[2] !== before[2]);
});

test("the transcripts of the folder are listed too, and opening one scores it", async () => {
  await editor.command("ShiftLens: List the Transcripts of the Folder");
  const found = await rowsWhen("the file that is not open", (all) =>
    all.some((row) => row.startsWith("other.txt")),
  );
  await editor.screenshot("responses-folder");
  assert.ok(!found.some((row) => row.startsWith("shopping.txt")), "no transcript");
  assert.match(found.at(-1), /^not scored ?Another one, please/);
  await view.locator(".monaco-list-row", { hasText: "Another one, please" }).click();
  await editor.until("the file", async () => (await editor.lines())[0]?.includes("Another one, please"));
  await editor.waitForStatus("Shifts shown");
  await rowsWhen("its share", (all) => all.some((row) => /^other\.txt ?1 response, [\d.]+ % shifted$/.test(row)));
  await editor.command("View: Close Editor");
  await editor.until("the first file", async () => (await editor.lines())[0]?.includes("Tell me about"));
  await rowsWhen("the closed file with its share", (all) =>
    all.some((row) => /^other\.txt ?1 response, [\d.]+ % shifted$/.test(row)),
  );
});

test("as one list, the responses of all files are sorted together", async () => {
  const before = (await rows()).filter((row) => shareOf(row) !== undefined);
  assert.equal(before.length, 3);
  await press("Show Responses as One List");
  await press("Sort Responses...");
  await editor.pick("Most Shifted First");
  const expected = before.map(shareOf).sort((a, b) => b - a);
  assert.notDeepEqual(before.map(shareOf), expected);
  const found = await rowsWhen("one list by share", (all) => String(all.map(shareOf)) === String(expected));
  await editor.screenshot("responses-list");
  assert.ok(found.some((row) => row.includes("other.txt: Another one, please")));
  await press("Sort Responses...");
  await editor.pick("Order of the File");
  await press("Show Responses under Their Files");
  await rowsWhen("the files", (all) => all.length === 5);
});

test("every open transcript has its rows", async () => {
  await view.locator(".monaco-list-row", { hasText: "Another one, please" }).click();
  await editor.waitForStatus("Shifts shown");
  const files = (all) => all.filter((row) => /responses?, [\d.]+ % shifted$/.test(row));
  // The one in front comes first.
  await rowsWhen("both files", (all) => files(all).length === 2 && /^other\.txt ?1 response, /.test(all[0]));
  await editor.screenshot("responses-two-files");
});
