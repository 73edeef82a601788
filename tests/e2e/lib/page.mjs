// The editor as a reader sees it: lines, styles, hovers, the status bar, the palette.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { OUT } from "./paths.mjs";

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const FLAGS = ["--no-sandbox", "--disable-gpu", "--force-color-profile=srgb"];
const STATUS = "#status\\.languageStatus a";
const LINE = ".editor-instance .view-lines .view-line";
const KEY_MS = 5_000;
const HOVER_MS = 5_000;
const WAIT_MS = Number(process.env.SHIFTLENS_E2E_WAIT_MS ?? 120_000);

export async function startBrowser() {
  return chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
}

/** Opens a file of a running VS Code in a new browser page. */
export async function openFile(browser, code, path, { recordStatus = false } = {}) {
  const page = await browser.newPage({ viewport: { width: 1500, height: 900 } });
  page.setDefaultTimeout(WAIT_MS);
  if (recordStatus) {
    await page.addInitScript(record, STATUS);
  }
  await page.goto(code.url(path));
  await page.waitForSelector(LINE);
  return new Editor(page);
}

/** Runs in the page: notes every label that an element has had since the page was loaded. */
function record(selector) {
  const labels = [];
  window.shiftlensStatuses = labels;
  const look = () => {
    const label = document.querySelector(selector)?.getAttribute("aria-label");
    if (label && label !== labels.at(-1)) {
      labels.push(label);
    }
  };
  new MutationObserver(look).observe(document, {
    subtree: true,
    childList: true,
    attributes: true,
    attributeFilter: ["aria-label"],
  });
}

export class Editor {
  constructor(page) {
    this.page = page;
  }

  /** The visible lines, top to bottom, as they stand in the file (the editor draws spaces as no-break ones). */
  async lines() {
    return this.page.evaluate((selector) => {
      const lines = [...document.querySelectorAll(selector)];
      const top = (line) => Number.parseFloat(line.style.top);
      return lines.sort((a, b) => top(a) - top(b)).map((line) => line.textContent.replaceAll("\u00a0", " "));
    }, LINE);
  }

  /** Where a text first stands: line and column, both from 0. */
  async find(text) {
    const lines = await this.lines();
    const line = lines.findIndex((candidate) => candidate.includes(text));
    if (line < 0) {
      throw new Error(`"${text}" is not on the screen:\n${lines.join("\n")}`);
    }
    return { line, column: lines[line].indexOf(text) };
  }

  /** The computed style of every character of a line: `{ char, color, bold, italic, underline }`. */
  async styles(line) {
    return this.page.evaluate(
      ([selector, wanted]) => {
        const lines = [...document.querySelectorAll(selector)];
        lines.sort((a, b) => Number.parseFloat(a.style.top) - Number.parseFloat(b.style.top));
        const walker = document.createTreeWalker(lines[wanted], NodeFilter.SHOW_TEXT);
        const styles = [];
        while (walker.nextNode()) {
          const style = getComputedStyle(walker.currentNode.parentElement);
          const common = {
            color: style.color,
            bold: Number(style.fontWeight) >= 600,
            italic: style.fontStyle === "italic",
            underline: style.textDecorationLine.includes("underline"),
          };
          for (const char of walker.currentNode.data.replaceAll("\u00a0", " ")) {
            styles.push({ char, ...common });
          }
        }
        return styles;
      },
      [LINE, line],
    );
  }

  /** The runs of a line that share a style: `{ text, column, color, ... }`. */
  async runs(line) {
    const runs = [];
    for (const [column, { char, ...style }] of (await this.styles(line)).entries()) {
      const last = runs.at(-1);
      if (last && last.color === style.color && last.bold === style.bold && last.underline === style.underline) {
        last.text += char;
      } else {
        runs.push({ text: char, column, ...style });
      }
    }
    return runs;
  }

  /** Wait until `check`, which may be async and may throw, gives something true; the last complaint is the error. */
  async until(what, check, waitMs = WAIT_MS) {
    const end = Date.now() + waitMs;
    let complaint = "";
    for (;;) {
      try {
        const found = await check();
        if (found) {
          return found;
        }
      } catch (error) {
        complaint = `: ${error.message}`;
      }
      if (Date.now() > end) {
        throw new Error(`Waited in vain for ${what}${complaint}`);
      }
      await this.page.waitForTimeout(100);
    }
  }

  /** Put the mouse on a character and return the text of the hover that opens. */
  async hover({ line, column }) {
    const hover = this.page.locator(".monaco-hover:visible .hover-contents");
    // What is drawn anew under the mouse takes the hover away, and nothing but another move brings it back.
    await this.until("a hover", async () => {
      await this.closeHover();
      const box = await this.charBox({ line, column });
      await this.page.mouse.move(box.x + box.width / 2 - 1, box.y + box.height / 2);
      await this.page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
      await hover.first().waitFor({ timeout: HOVER_MS });
      return true;
    });
    return (await hover.allInnerTexts()).join("\n").replaceAll("\u00a0", " ");
  }

  async closeHover() {
    await this.page.keyboard.press("Escape");
    await this.page.mouse.move(5, 5);
    await this.page.locator(".monaco-hover:visible").waitFor({ state: "hidden" });
  }

  async charBox({ line, column }) {
    return this.page.evaluate(
      ([selector, wanted, offset]) => {
        const lines = [...document.querySelectorAll(selector)];
        lines.sort((a, b) => Number.parseFloat(a.style.top) - Number.parseFloat(b.style.top));
        const walker = document.createTreeWalker(lines[wanted], NodeFilter.SHOW_TEXT);
        let before = 0;
        while (walker.nextNode()) {
          const { length } = walker.currentNode.data;
          if (offset < before + length) {
            const range = document.createRange();
            range.setStart(walker.currentNode, offset - before);
            range.setEnd(walker.currentNode, offset - before + 1);
            const { x, y, width, height } = range.getBoundingClientRect();
            return { x, y, width, height };
          }
          before += length;
        }
        throw new Error(`line ${wanted} has no column ${offset}`);
      },
      [LINE, line, column],
    );
  }

  async click(place) {
    const box = await this.charBox(place);
    await this.page.mouse.click(box.x + 1, box.y + box.height / 2);
  }

  /** Line and column of the cursor as the status bar shows them, both from 1. */
  async cursor() {
    const text = await this.page.locator("#status\\.editor\\.selection").innerText();
    const [, line, column] = /Ln (\d+), Col (\d+)/.exec(text) ?? [];
    return { line: Number(line), column: Number(column) };
  }

  /** What the language status says, as a screen reader hears it. */
  async status() {
    const item = this.page.locator("#status\\.languageStatus");
    const label = (await item.count()) ? await item.locator("a").first().getAttribute("aria-label") : "";
    return label ?? "";
  }

  /** Everything that the language status has said since the page was loaded; for a page that records it. */
  async statuses() {
    return this.page.evaluate(() => window.shiftlensStatuses);
  }

  /** Open the card of the language status, which has what it offers. */
  async openStatus() {
    await this.page.locator(STATUS).first().hover();
    const card = this.page.locator(".monaco-hover:visible", { hasText: "ShiftLens" });
    await card.first().waitFor();
    return card.first();
  }

  async waitForStatus(words) {
    return this.until(`the status "${words}"`, async () => {
      const status = await this.status();
      if (!status.includes(words)) {
        throw new Error(`it is "${status}"`);
      }
      return status;
    });
  }

  /** The texts of the notifications that are shown. */
  async notifications() {
    return this.page.locator(".notification-list-item-message").allInnerTexts();
  }

  /** Run a command by its title. */
  async command(title) {
    const input = this.page.locator(".quick-input-widget input.input");
    // While the focus is on its way from one part to another, keys go nowhere; and a view that takes the focus when its
    // page has loaded closes a palette that is open by then.
    await this.until(`the command "${title}"`, async () => {
      await this.page.keyboard.press("F1");
      await input.waitFor({ timeout: KEY_MS });
      await input.fill(`>${title}`, { timeout: KEY_MS });
      await this.pick(title, KEY_MS);
      return true;
    });
  }

  /** The rows of the quick pick, once they are as wanted: label, description and detail of each on one line. */
  async rows(what, wanted, waitMs = WAIT_MS) {
    const look = async () => {
      const rows = await this.page.locator(".quick-input-list .monaco-list-row").allInnerTexts();
      const lines = rows.map((row) => row.replace(/\s+/g, " ").trim());
      if (!wanted(lines)) {
        throw new Error(JSON.stringify(lines));
      }
      return lines;
    };
    return this.until(what, look, waitMs);
  }

  /** Click the row of the quick pick that says exactly this. */
  async pick(label, waitMs = WAIT_MS) {
    const exact = new RegExp(`^\\s*${label.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}$`);
    await this.page
      .locator(".quick-input-list .label-name", { hasText: exact })
      .first()
      .click({ timeout: waitMs });
  }

  /** Open the view of the responses by its icon in the activity bar, and return it. */
  async responses() {
    await this.page.locator(".activitybar a.action-label[aria-label^='ShiftLens']").click();
    const view = this.page.locator(".part.sidebar", { has: this.page.locator("[aria-label^='Responses']") });
    await view.first().waitFor();
    return view.first();
  }

  /** Choose a colour theme by its label. */
  async theme(label) {
    await this.command("Preferences: Color Theme");
    const input = this.page.locator(".quick-input-widget input.input");
    await this.page.locator(".quick-input-list .label-name", { hasText: "Modern" }).first().waitFor();
    await input.fill(label);
    await this.pick(label);
    await this.page.locator(".quick-input-widget").waitFor({ state: "hidden" });
  }

  async screenshot(name) {
    await mkdir(OUT, { recursive: true });
    const path = join(OUT, `${name}.png`);
    await this.page.screenshot({ path });
    return path;
  }

  async close() {
    await this.page.close();
  }
}
