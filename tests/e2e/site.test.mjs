// A site of pages, as any browser shows it from disk, with hostile text in tokens, queries and names.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { startBrowser } from "./lib/page.mjs";
import { modelPair } from "./lib/pair.mjs";
import { OUT, PYTHON } from "./lib/paths.mjs";

const run = promisify(execFile);
const HOSTILE = "<img src=x onerror=alert(1)></script><script>window.owned=1</script>{{7*7}}\u202e";
const SHOWN = HOSTILE.replace("\u202e", "<U+202E>");
const TALKS = {
  "<b>one.txt": `User: Say ${HOSTILE}\nAssistant: Great question! It is ${HOSTILE} as you say.\n`,
  "two.txt":
    "User: Tell me about iron.\nAssistant: Great question! Iron is a metal.\n\nUser: And gold?\nAssistant: So is gold.\n",
};

let browser;
let pair;
let folder;
let page;
const asked = [];
const errors = [];

before(async () => {
  [browser, pair] = await Promise.all([startBrowser(), modelPair()]);
  folder = await mkdtemp(join(tmpdir(), "shiftlens-site-"));
  const talks = join(folder, "talks");
  await mkdir(talks);
  await mkdir(OUT, { recursive: true });
  for (const [name, text] of Object.entries(TALKS)) {
    await writeFile(join(talks, name), text);
  }
  const models = ["--base", pair.settings["shiftlens.base"], "--aligned", pair.settings["shiftlens.aligned"]];
  await run(
    PYTHON,
    ["-m", "shiftlens", "site", talks, ...models, "--private-engine", "-o", join(folder, "site")],
    {
      cwd: folder,
      env: { ...process.env, SHIFTLENS_CACHE_DIR: join(folder, "cache") },
    },
  );
  page = await browser.newPage({ viewport: { width: 1500, height: 1000 } });
  page.on("request", (request) => asked.push(request.url()));
  page.on("console", (message) => errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(error.message));
});

after(async () => {
  await browser?.close();
  await pair?.remove();
  if (folder) await rm(folder, { recursive: true, force: true });
});

const index = () => pathToFileURL(join(folder, "site", "index.html")).href;
const rows = () => page.locator(".index tbody tr:not([hidden])");

/** What hostile text would have done: an element, a script that ran, a request. */
async function checkHarmless() {
  assert.equal(await page.locator("img, b").count(), 0);
  assert.equal(await page.evaluate(() => window.owned), undefined);
  assert.deepEqual(
    asked.filter((url) => !url.startsWith("file:")),
    [],
  );
}

test("the index lists every response, and its search finds words of queries and responses", async () => {
  await page.goto(index());
  assert.equal(await rows().count(), 3);
  assert.ok((await rows().first().innerText()).includes(`Say ${SHOWN}`));
  await page.locator("#words").fill("IRON metal");
  assert.equal(await rows().count(), 1);
  assert.match(await rows().innerText(), /Tell me about iron/);
  assert.equal(await page.locator("#count").innerText(), "1 of 3 responses");
  await page.locator("#words").fill("onerror=");
  assert.equal(await rows().count(), 1);
  await page.locator("#words").fill("");
  assert.equal(await rows().count(), 3);
  assert.ok((await page.locator("svg.chart").count()) >= 7);
  await checkHarmless();
  await page.screenshot({ path: join(OUT, "site-index.png"), fullPage: true });
});

test("an ID leads to its page, and pages to those beside them and home", async () => {
  await page.goto(index());
  await page.locator("#id").fill("99");
  await page.locator("#id").press("Enter");
  assert.match(await page.locator("#count").innerText(), /no response with the ID 99/);
  await page.locator("#id").fill("1");
  await page.locator("#id").press("Enter");
  await page.locator("h1", { hasText: "ID: 1" }).waitFor();
  await page.getByText("Next →").click();
  await page.locator("h1", { hasText: "ID: 2" }).waitFor();
  assert.equal(await page.locator("a", { hasText: "Next" }).count(), 0);
  await page.getByText("← Previous").click();
  await page.getByText("← Previous").click();
  await page.locator("h1", { hasText: "ID: 0" }).waitFor();
  assert.equal(await page.locator("a", { hasText: "Previous" }).count(), 0);
  await page.getByText("Home").click();
  await page.locator(".index").waitFor();
});

test("a page shows hostile text as text, and both distributions and prefixes of a token", async () => {
  await page.goto(pathToFileURL(join(folder, "site", "pages", "0.html")).href);
  const text = page.locator(".text").first();
  assert.equal((await text.innerText()).replace("⏎", ""), `Great question! It is ${SHOWN} as you say.■`);
  assert.equal(await page.locator(".query").innerText(), `Say ${SHOWN}`);
  await text.locator(".t").nth(2).hover();
  assert.deepEqual(await page.locator("#card caption").allInnerTexts(), ["Base@3", "Aligned@3"]);
  assert.match(
    await page.locator("#card .measures").innerText(),
    /^KL@10 -?\d+\.\d{4} \| Jaccard@10 \d\.\d{4} \| WS@10 \d\.\d{4}$/,
  );
  await text.locator(".t").nth(2).click();
  for (const side of ["Base", "Aligned"]) {
    await page.locator("#card summary", { hasText: `${side} Prefix` }).click();
  }
  const said = (await text.locator(".t").allTextContents()).slice(0, 2).join("");
  for (const prefix of await page.locator("#card .prefix div").allInnerTexts()) {
    assert.ok(prefix.includes(`Say ${SHOWN}`), prefix);
    assert.ok(prefix.endsWith(said), prefix);
  }
  await checkHarmless();
});

test("curves and heat are drawn, in a light and in a dark system, and nothing is stopped by the policy", async () => {
  await page.goto(pathToFileURL(join(folder, "site", "pages", "0.html")).href);
  assert.equal(await page.locator("svg.chart polyline").count(), 3);
  await page.locator("details.differences summary").click();
  const part = page.locator(".text.heat .up3, .text.heat .up2, .text.heat .up1").first();
  assert.match((await part.getAttribute("title")) ?? "", /^\+\d+\.\d\d nats$/);
  const ground = (locator) => locator.evaluate((element) => getComputedStyle(element).backgroundColor);
  assert.notEqual(await ground(part), "rgba(0, 0, 0, 0)");
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    await page.screenshot({ path: join(OUT, `site-page-${colorScheme}.png`), fullPage: true });
  }
  assert.equal(await ground(page.locator("body")), "rgb(23, 25, 28)");
  assert.deepEqual(errors, []);
});
