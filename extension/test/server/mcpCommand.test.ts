import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import manifest from "../../package.json";
import { mcpCommand } from "../../src/server/mcpCommand";
import type { Resolution } from "../../src/server/resolve";

const SERVER: Resolution = {
  kind: "found",
  source: "interpreter",
  command: "/env/bin/python",
  args: ["-m", "shiftlens", "serve", "--log-level", "warning"],
};
const PAIR = { base: "org/base", aligned: "org/tuned" };

function argsOf(settings: Record<string, unknown>, folders: string[] = []): string[] {
  const found = mcpCommand(SERVER, settings, folders);
  assert.equal(found.kind, "command");
  return found.kind === "command" ? found.args : [];
}

test("the tools for agents are started by the Python of the language server, with the user's models and folders", () => {
  const found = mcpCommand(SERVER, PAIR, ["/talks", "/more talks"]);
  assert.deepEqual(found, {
    kind: "command",
    command: "/env/bin/python",
    args: [
      ...["-m", "shiftlens", "mcp", "--base", "org/base", "--aligned", "org/tuned"],
      ...["--allow", "/talks", "--allow", "/more talks"],
    ],
  });
});

test("settings that change numbers or loading are options of the same meaning", () => {
  const settings = {
    ...PAIR,
    thresholds: [1, 5],
    scoreParts: ["answer"],
    topK: 20,
    wordLists: "",
    allowDownload: false,
    allowPickle: true,
    resultCache: false,
    shareEngine: true,
  };
  assert.deepEqual(argsOf(settings).slice(7), [
    ...["--thresholds", "1,5", "--top-k", "20", "--score-parts", "answer", "--allow-pickle", "--no-cache"],
  ]);
});

test("without a pair, or without a server that is known, nothing is started and why is said", () => {
  const none = mcpCommand(SERVER, { base: "org/base", aligned: " " }, []);
  assert.ok(none.kind === "none" && none.choosesModels);
  const notFound: Resolution = { kind: "notFound", problem: "No Python.", remedy: "", setting: "" };
  assert.deepEqual(mcpCommand(notFound, PAIR, []), { kind: "none", problem: "No Python." });
  assert.equal(mcpCommand(undefined, PAIR, []).kind, "none");
  const own: Resolution = { kind: "found", source: "serverCommand", command: "mine", args: ["serve"] };
  assert.match(JSON.stringify(mcpCommand(own, PAIR, [])), /shiftlens\.serverCommand/);
  const template = mcpCommand(SERVER, { ...PAIR, baseContext: "template:{{ query }}" }, []);
  assert.match(JSON.stringify(template), /shiftlens\.baseContext is a template/);
});

test("the provider is contributed by the name that it is registered under", () => {
  const [provider] = manifest.contributes.mcpServerDefinitionProviders;
  assert.match(readFileSync("src/commands/agents.ts", "utf8"), new RegExp(`PROVIDER = "${provider?.id}"`));
});
