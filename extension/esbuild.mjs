// Builds the extension (one file that runs in the editor's Node), the page of its panel (one file that runs in a
// webview) and, with --tests, every test on its own.
import { readdir, rm } from "node:fs/promises";
import { build } from "esbuild";

const production = process.argv.includes("--production");
const shared = {
  bundle: true,
  legalComments: "none",
  logLevel: "warning",
  minify: production,
  sourcemap: production ? false : "linked",
};
const node = { ...shared, platform: "node", format: "cjs", target: "node18" };

if (process.argv.includes("--tests")) {
  const tests = (await readdir("test", { recursive: true })).filter((name) => name.endsWith(".test.ts"));
  await rm("out/test", { recursive: true, force: true });
  await build({
    ...node,
    minify: false,
    entryPoints: tests.map((name) => `test/${name}`),
    outdir: "out/test",
  });
} else {
  await build({ ...node, entryPoints: ["src/extension.ts"], external: ["vscode"], outfile: "out/extension.js" });
  await build({
    ...shared,
    platform: "browser",
    format: "iife",
    target: "es2022",
    entryPoints: ["src/views/panel/page.ts"],
    outfile: "out/panel.js",
  });
}
