// The Token Distributions panel: follows the cursor, and shows nothing that a model or a file says as anything but text.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openFile, startBrowser } from "./lib/page.mjs";
import { modelPair } from "./lib/pair.mjs";
import { PYTHON } from "./lib/paths.mjs";
import { startVsCode } from "./lib/vscode.mjs";

const HOSTILE = "<img src=x onerror=alert(1)>";
const CHAT = `User: Say ${HOSTILE}\nAssistant: Great question! It is ${HOSTILE} as you say.\n`;

let browser;
let code;
let pair;
let editor;
let panel;

before(async () => {
  [browser, pair] = await Promise.all([startBrowser(), modelPair()]);
  const settings = { ...pair.settings, "shiftlens.interpreter": PYTHON };
  code = await startVsCode({ name: "panel", settings, files: { "chat.txt": CHAT } });
  editor = await openFile(browser, code, "chat.txt");
  await editor.waitForStatus("Shifts shown");
  await editor.command("ShiftLens: Show Token Distributions");
  panel = editor.page.frameLocator("iframe.webview.ready").frameLocator("#active-frame");
});

after(async () => {
  await editor?.screenshot("panel-last");
  await browser?.close();
  await code?.stop();
  await pair?.remove();
});

test("the panel shows both models' candidates at the cursor", async () => {
  await editor.click(await editor.find("question!"));
  await panel.locator("h3", { hasText: "Base@" }).first().waitFor();
  await panel.locator("h3", { hasText: "Aligned@" }).first().waitFor();
  assert.equal(await panel.locator("tr.response").count(), 2);
  assert.match(await panel.locator("#spoken").textContent(), /: \w+, base rank \d+, aligned rank \d+$/);
  assert.equal(await panel.locator("tr.rest").count(), 2);
  const shares = await panel.locator("td.prob").allInnerTexts();
  assert.ok(shares.length >= 4 && shares.every((share) => / %$/.test(share)), shares.join());
  assert.match(await panel.locator(".facts").first().innerText(), /KL\(aligned \|\| base\)/);
  await editor.screenshot("panel");
});

test("the panel follows the cursor", async () => {
  const before = await panel.locator("h2").first().innerText();
  await editor.click(await editor.find("you say"));
  await editor.until("another token", async () => (await panel.locator("h2").first().innerText()) !== before);
});

test("what the models read unfolds, markup in it is text", async () => {
  await panel.locator("summary").first().click();
  assert.ok((await panel.locator("pre").first().innerText()).includes(HOSTILE));
  assert.equal(await panel.locator("img").count(), 0);
  await editor.screenshot("panel-prefix");
});

/** `{ text, colour, background, large }` of everything that is written in the panel; backgrounds are what lies behind. */
async function written() {
  return panel.locator("body").evaluate((body) => {
    const solid = (colour) => !/rgba\(.*, 0\)|transparent/.test(colour);
    // The page itself is transparent, on what the editor draws its panels on.
    const ground = document.createElement("p");
    ground.style.backgroundColor = "var(--vscode-panel-background)";
    body.append(ground);
    const behind = getComputedStyle(ground).backgroundColor;
    ground.remove();
    const background = (element) => {
      const own = element && getComputedStyle(element).backgroundColor;
      return !element ? behind : solid(own) ? own : background(element.parentElement);
    };
    const walker = document.createTreeWalker(body, NodeFilter.SHOW_TEXT);
    const found = [];
    while (walker.nextNode()) {
      const { data, parentElement } = walker.currentNode;
      const { width } = parentElement.getBoundingClientRect();
      if (data.trim() && width > 1) {
        const colour = getComputedStyle(parentElement).color;
        found.push({ text: data.trim().slice(0, 30), colour, background: background(parentElement) });
      }
    }
    return found;
  });
}

function luminance(colour) {
  const [red, green, blue] = colour.match(/[\d.]+/g).map((value) => {
    const part = Number(value) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast({ colour, background }) {
  const [light, dark] = [luminance(colour), luminance(background)].sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
}

const THEMES = {
  "Dark Modern": "vscode-dark",
  "Light Modern": "vscode-light",
  "Dark High Contrast": "vscode-high-contrast",
  "Light High Contrast": "vscode-high-contrast-light",
};

for (const [label, kind] of Object.entries(THEMES)) {
  test(`everything in the panel reads well in ${label}`, async () => {
    await editor.theme(label);
    await panel.locator(`body[data-vscode-theme-kind="${kind}"]`).waitFor();
    for (const text of ["question!", "It is"]) {
      await editor.click(await editor.find(text));
      const found = await editor.until("a token", async () => {
        const now = await written();
        return now.length > 30 && now;
      });
      const poor = found.filter((each) => contrast(each) < 4.5);
      assert.deepEqual(poor, [], `${poor.length} of ${found.length}`);
    }
    await editor.screenshot(`panel-${label.toLowerCase().replaceAll(" ", "-")}`);
  });
}

test("the panel's own buttons go to the next shifted token", async () => {
  await editor.click({ line: 0, column: 2 });
  await panel.locator(".hint").waitFor();
  const before = await editor.cursor();
  await panel.locator("#go-next").focus();
  await editor.page.keyboard.press("Enter");
  await editor.until("a move", async () => JSON.stringify(await editor.cursor()) !== JSON.stringify(before));
  await panel.locator(".token.shifted h2").waitFor();
  assert.equal(await panel.locator("#go-next:focus").count(), 1, "the keyboard stays on the button");
});
