import assert from "node:assert/strict";
import { test } from "node:test";
import { namesServer, refusal, type Scopes, withoutForeignServers } from "../../src/server/modelServers";

const SERVER = "vllm:http://elsewhere:8000#base";

function scopes(found: Record<string, Scopes>): (name: string) => Scopes | undefined {
  return (name) => found[name];
}

test("a model on a server that a workspace names gives way to the user's own", () => {
  const settings = { base: SERVER, aligned: "org/tuned", topK: 10 };
  const found = withoutForeignServers(
    settings,
    scopes({ base: { globalValue: "org/base", workspaceValue: SERVER } }),
  );
  assert.deepEqual(found, { settings: { base: "org/base", aligned: "org/tuned", topK: 10 }, refused: ["base"] });
});

test("where the user has chosen none, there is none", () => {
  const found = withoutForeignServers({ aligned: SERVER }, scopes({ aligned: { workspaceFolderValue: SERVER } }));
  assert.deepEqual(found, { settings: { aligned: "" }, refused: ["aligned"] });
});

test("a server of the user's own settings, and a workspace's models on this machine, stay", () => {
  const settings = { base: SERVER, aligned: "org/tuned" };
  const found = withoutForeignServers(
    settings,
    scopes({ base: { globalValue: SERVER }, aligned: { workspaceValue: "org/tuned" } }),
  );
  assert.deepEqual(found, { settings, refused: [] });
});

test("stages on a server that a workspace names give way to the user's own, or to none", () => {
  const stages = ["org/sft", SERVER];
  const found = withoutForeignServers({ stages }, scopes({ stages: { workspaceValue: stages } }));
  assert.deepEqual(found, { settings: { stages: [] }, refused: ["stages"] });
  const own = scopes({ stages: { globalValue: ["org/dpo"], workspaceFolderValue: stages } });
  assert.deepEqual(withoutForeignServers({ stages }, own).settings, { stages: ["org/dpo"] });
});

test("stages on a server that the user names, and a workspace's on this machine, stay", () => {
  const users = withoutForeignServers({ stages: [SERVER] }, scopes({ stages: { globalValue: [SERVER] } }));
  assert.deepEqual(users, { settings: { stages: [SERVER] }, refused: [] });
  const here = withoutForeignServers({ stages: ["a"] }, scopes({ stages: { workspaceValue: ["a"] } }));
  assert.deepEqual(here, { settings: { stages: ["a"] }, refused: [] });
});

test("the names of servers are told from other names", () => {
  const names = [
    SERVER,
    "sglang:http://a#b",
    "openai:https://a#b",
    "org/vllm",
    "bundled:base",
    "/models/vllm:x",
    7,
  ];
  assert.deepEqual(names.map(namesServer), [true, true, true, false, false, false, false]);
});

test("the user is told which setting it was", () => {
  assert.match(
    refusal(["base", "aligned"]),
    /`shiftlens.base` and `shiftlens.aligned` in this workspace's settings/,
  );
});
