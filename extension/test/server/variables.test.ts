import assert from "node:assert/strict";
import { test } from "node:test";
import { expand } from "../../src/server/variables";

const AROUND = { home: "/home/a", workspaceFolder: "/w", env: { VENV: "/v" } };

test("a tilde at the start is the home folder, one elsewhere is a tilde", () => {
  assert.equal(expand("~/bin/python", AROUND), "/home/a/bin/python");
  assert.equal(expand("~", AROUND), "/home/a");
  assert.equal(expand("/a/~b", AROUND), "/a/~b");
  assert.equal(expand("~b/c", AROUND), "~b/c");
});

test("variables are replaced, an unset environment variable by nothing", () => {
  assert.equal(expand(`\${workspaceFolder}/.venv:\${env:VENV}:\${userHome}`, AROUND), "/w/.venv:/v:/home/a");
  assert.equal(expand(`[\${env:NONE}]`, AROUND), "[]");
});

test("a variable that means nothing here stays as it is", () => {
  assert.equal(expand(`\${file}`, AROUND), `\${file}`);
  assert.equal(
    expand(`\${workspaceFolder}/x`, { ...AROUND, workspaceFolder: undefined }),
    `\${workspaceFolder}/x`,
  );
});

test("a home folder with dollar signs is taken literally", () => {
  assert.equal(expand("~/x", { ...AROUND, home: "/h/$&" }), "/h/$&/x");
});
