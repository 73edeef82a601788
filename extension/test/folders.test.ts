import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";

/** The folders of the sources, each of which imports only itself and those after it. */
const ORDER = ["commands", "views", "install", "server"];

/** The files of a folder and the local files that each imports, as paths below `src`. */
function importsOf(folder: string): { file: string; imported: string }[] {
  const files = readdirSync(join("src", folder), { recursive: true }).map(String);
  return files
    .filter((name) => name.endsWith(".ts"))
    .flatMap((name) => {
      const file = join(folder, name);
      const found = readFileSync(join("src", file), "utf8").matchAll(/ from "(\.[^"]+)"/g);
      return [...found].map(([, path = ""]) => ({ file, imported: normalize(join(dirname(file), path)) }));
    });
}

test("the folders import each other one way: commands, views, install, server", () => {
  for (const [at, folder] of ORDER.entries()) {
    const imports = importsOf(folder);
    assert.ok(imports.length > 3, folder);
    for (const { file, imported } of imports) {
      const target = imported.split(/[\\/]/)[0] ?? "";
      assert.ok(ORDER.slice(at).includes(target), `${file} imports ${imported}`);
    }
  }
});
