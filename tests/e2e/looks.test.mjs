// How tokens may look: quiet or with every class, in another palette, on the background of the heat.
import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { CLASSES, classesByCommandLine, differences } from "./lib/classes.mjs";
import { promised } from "./lib/manifest.mjs";
import { openFile, startBrowser } from "./lib/page.mjs";
import { modelPair } from "./lib/pair.mjs";
import { PYTHON, ROOT } from "./lib/paths.mjs";
import { startVsCode } from "./lib/vscode.mjs";

const THEME = "Default Dark Modern";
const LABEL = "Assistant: ";
const CHAT = `User: What is a bat?\n${LABEL}Great question! A bat is the only mammal that can truly fly. I hope this helps!\n`;

let browser;
let code;
let pair;
let editor;

before(async () => {
  [browser, pair] = await Promise.all([startBrowser(), modelPair()]);
  code = await startVsCode({
    name: "looks",
    settings: { ...pair.settings, "shiftlens.interpreter": PYTHON, "workbench.colorTheme": THEME },
    files: { "chat.txt": CHAT },
  });
  editor = await openFile(browser, code, "chat.txt");
  await editor.waitForStatus("Shifts shown");
});

after(async () => {
  await editor?.screenshot("looks-last");
  await browser?.close();
  await code?.stop();
  await pair?.remove();
});

/** Wait until the answer has the colours of these classes (of marginal, if it has any) and else the editor's own. */
async function shows(what, classes, palette) {
  const wanted = classes.map((kind) => promised(THEME, kind, palette).color);
  await editor.until(what, async () => {
    const [plain, ...answer] = await editor.styles(1);
    const colours = new Set(answer.filter(({ char }) => char.trim()).map(({ color }) => color));
    colours.delete(plain.color);
    const missing = wanted.filter((colour, at) => classes[at] !== "marginal" && !colours.has(colour));
    const others = [...colours].filter((colour) => !wanted.includes(colour));
    if (missing.length + others.length > 0) {
      throw new Error(`missing ${missing}, and also there ${others}`);
    }
    return true;
  });
}

/** The editor in the browser watches the settings of the workspace, those of the user it reads once. */
async function ofWorkspace(settings) {
  await mkdir(join(code.workspace, ".vscode"), { recursive: true });
  await writeFile(join(code.workspace, ".vscode", "settings.json"), JSON.stringify(settings));
}

test("at first, only what was shifted stands out", async () => {
  await shows("shifted and marginal", ["shifted", "marginal"]);
  await editor.screenshot("look-quiet");
});

test("the unshifted tokens show when they are wanted, and another palette too, without a restart", async () => {
  await ofWorkspace({ "shiftlens.showUnshifted": true });
  await shows("all classes", CLASSES);
  await ofWorkspace({ "shiftlens.showUnshifted": true, "shiftlens.palette": "colourBlind" });
  await shows("the other palette", CLASSES, "colourBlind");
  await editor.screenshot("look-colour-blind");
  await ofWorkspace({});
  await shows("the first look again", ["shifted", "marginal"]);
});

/**
 * How many pixels of a canvas lie on the way from its ground to a colour: both canvases draw thin marks, so that they
 * mix what they draw with what is behind. The ground is the most frequent pixel.
 */
async function pixelsOf(selector, color) {
  return editor.page.evaluate(
    ([canvas, wanted]) => {
      const found = document.querySelector(canvas);
      const { data } = found.getContext("2d").getImageData(0, 0, found.width, found.height);
      const counts = new Map();
      for (let at = 0; at < data.length; at += 4) {
        const pixel = data[at + 3] === 0 ? "none" : data.slice(at, at + 3).join();
        counts.set(pixel, (counts.get(pixel) ?? 0) + 1);
      }
      const [[most]] = [...counts].sort(([, a], [, b]) => b - a);
      const ground = most === "none" ? [0, 0, 0] : most.split(",").map(Number);
      const from = (colour) => colour.map((value, channel) => value - ground[channel]);
      const dot = (a, b) => a.reduce((sum, value, channel) => sum + value * b[channel], 0);
      const way = from(wanted);
      let number = 0;
      for (const [pixel, count] of counts) {
        const step = from(pixel === "none" ? ground : pixel.split(",").map(Number));
        const length = Math.sqrt(dot(step, step));
        number += length > 20 && dot(step, way) / length / Math.sqrt(dot(way, way)) > 0.995 ? count : 0;
      }
      return number;
    },
    [selector, color.match(/\d+/g).map(Number)],
  );
}

const RULER = ".editor-instance canvas.decorationsOverviewRuler";
const MINIMAP = ".editor-instance .minimap canvas:not(.minimap-decorations-layer)";

async function marked(selector, palette) {
  const others = { default: "colourBlind", colourBlind: "default" };
  await editor.until(`marks in ${selector} in the palette ${palette}`, async () => {
    const own = await pixelsOf(selector, promised(THEME, "shifted", palette).color);
    const other = await pixelsOf(selector, promised(THEME, "shifted", others[palette]).color);
    if (!(own > 0 && other === 0)) {
      throw new Error(`own ${own}, other ${other}`);
    }
    return true;
  });
}

test("the overview ruler and the minimap have the shifted tokens in the colour of the palette", async () => {
  await ofWorkspace({
    "editor.minimap.enabled": true,
    "editor.minimap.renderCharacters": false,
    "editor.minimap.scale": 3,
  });
  await marked(RULER, "default");
  await marked(MINIMAP, "default");
  await editor.screenshot("marks-default");
  await ofWorkspace({
    "editor.minimap.enabled": true,
    "editor.minimap.renderCharacters": false,
    "editor.minimap.scale": 3,
    "shiftlens.palette": "colourBlind",
  });
  await marked(RULER, "colourBlind");
  await marked(MINIMAP, "colourBlind");
  await editor.screenshot("marks-colour-blind");
  await ofWorkspace({});
  await marked(RULER, "default");
});

test("an edit keeps the look", async () => {
  await editor.click(await editor.find("fly."));
  await editor.page.keyboard.type("really ");
  await editor.until("scores", async () =>
    (await editor.hover(await editor.find("really"))).includes("Base rank"),
  );
  await editor.closeHover();
  await shows("shifted and marginal", ["shifted", "marginal"]);
});

/** The backgrounds that decorations draw on the lines, each once. */
async function backgrounds() {
  return editor.page.evaluate(() => {
    const drawn = [...document.querySelectorAll(".editor-instance .view-overlays .cdr[class*='ced-']")];
    const colours = drawn.map((element) => getComputedStyle(element).backgroundColor);
    return [...new Set(colours)].filter((colour) => colour !== "rgba(0, 0, 0, 0)");
  });
}

test("heat shows KL, then the base model's probability, then nothing", async () => {
  assert.deepEqual(await backgrounds(), []);
  await editor.command("ShiftLens: Toggle Heat");
  await editor.page.getByText("Heat: KL(aligned || base)").waitFor();
  const byKl = await editor.until("backgrounds", async () => {
    const found = await backgrounds();
    return found.length >= 2 && found;
  });
  assert.ok(byKl.length <= 5, String(byKl));
  await editor.screenshot("heat-kl");
  await editor.command("ShiftLens: Toggle Heat");
  await editor.page.getByText("Heat: the base model's probability").waitFor();
  await editor.until("backgrounds", async () => (await backgrounds()).length >= 2);
  await editor.screenshot("heat-base-probability");
  await editor.command("ShiftLens: Toggle Heat");
  await editor.until("no backgrounds", async () => (await backgrounds()).length === 0);
});

test("what the base model reads is chosen from a list that explains itself", async () => {
  await editor.command("ShiftLens: Choose What the Base Model Reads...");
  await editor.page.getByText("The turns alone, without any frame.").waitFor();
  await editor.screenshot("choose-base-context");
  await editor.pick("Raw turns");
  await editor.until("its name in the hover or the panel", async () => {
    await editor.waitForStatus("Shifts shown");
    return (await editor.hover(await editor.find("question"))).includes("raw");
  });
  await editor.closeHover();
});

test("whose rank counts is chosen from a list, and the classes follow", async () => {
  await ofWorkspace({ "shiftlens.showUnshifted": true });
  await editor.command("ShiftLens: Choose Whose Rank Counts...");
  await editor.page.getByText("as the paper's code does").waitFor();
  await editor.screenshot("choose-token-definition");
  await editor.pick("The aligned model's first choice");
  await editor.command("File: Save");
  const path = join(code.workspace, "chat.txt");
  const saved = await readFile(path, "utf8");
  const settings = { ...pair.settings, "shiftlens.classifyBy": "aligned-top1" };
  const [own, theirs] = await Promise.all(
    [pair.settings, settings].map((each) => classesByCommandLine(path, saved, each)),
  );
  assert.notDeepEqual(own, theirs, "a text on which the two definitions part");
  await editor.until("the classes by the other definition", async () => {
    assert.deepEqual(await differences(editor, THEME, saved, theirs), []);
    return true;
  });
});

test("commands that can do nothing are not offered", async () => {
  await editor.page.keyboard.press("F1");
  const input = editor.page.locator(".quick-input-widget input.input");
  // Asked for one by one: of a long list, the page holds what is in view alone.
  await input.fill(">ShiftLens: Score This File");
  await editor.rows("a command that is of use", (rows) => rows.some((row) => row.includes("Score This File")));
  for (const title of ["Cancel Scoring", "Go to Response", "Most Shifted First", "Score This Response"]) {
    await input.fill(`>ShiftLens: ${title}`);
    await editor.rows(`no "${title}"`, (rows) => rows.length > 0 && !rows.some((row) => row.includes(title)));
  }
  await editor.page.keyboard.press("Escape");
});

/** The steps of the walkthrough and the pages beside them. */
const FILES = {
  "Open a transcript": "open",
  "Choose a pair of models": "pair",
  "Read the colours": "colours",
  "Open the panel": "panel",
};

test("the walkthrough has four steps and opens an example", async () => {
  await editor.command("Welcome: Open Walkthrough...");
  await editor.page
    .locator(".quick-input-list .label-name", { hasText: "See what alignment shifted" })
    .first()
    .click();
  await editor.page.locator(".getting-started-step").nth(3).waitFor();
  assert.equal(await editor.page.locator(".getting-started-step").count(), 4);
  for (const [title, pictures] of [
    ["Choose a pair of models", 0],
    ["Read the colours", 1],
    ["Open the panel", 2],
    ["Open a transcript", 0],
  ]) {
    const step = editor.page.locator(".getting-started-step", { hasText: title });
    if (!(await step.getAttribute("class")).includes("expanded")) {
      await step.locator(".step-title").click();
    }
    const media = editor.page
      .frameLocator(".getting-started-media iframe.webview.ready")
      .frameLocator("#active-frame");
    const text = await readFile(join(ROOT, "extension/media/walkthrough", `${FILES[title]}.md`), "utf8");
    await media.getByText(text.slice(0, 20).replace(/[|_*]/g, "").trim()).first().waitFor();
    await editor.until(`pictures of "${title}"`, async () => {
      const widths = await media.locator("img").evaluateAll((all) => all.map((image) => image.naturalWidth));
      return widths.length === pictures && widths.every((width) => width > 100);
    });
    await editor.screenshot(`walkthrough-${FILES[title]}`);
  }
  await editor.page.getByRole("button", { name: "Open an Example" }).first().click();
  await editor.waitForStatus("Shifts shown");
  await editor.screenshot("walkthrough-example");
});
