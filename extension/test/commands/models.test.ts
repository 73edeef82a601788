import assert from "node:assert/strict";
import { test } from "node:test";
import {
  BUNDLED,
  describeModel,
  describePair,
  formatSize,
  type Pair,
  pairLabel,
  pairsIn,
  recentWith,
} from "../../src/commands/modelList";
import type { LocalModel } from "../../src/server/protocol";

const BASE: LocalModel = { name: "org/base-7b", where: "cache", size: 13_476_000_000 };
const ALIGNED: LocalModel = { name: "/models/aligned-7b", where: "folder", size: 13_476_000_000 };
const MISSING: LocalModel = { name: "org/other", where: "missing", size: 0 };

test("sizes have one digit behind the point where it says something", () => {
  const sizes = [0, 999, 1000, 17_400_000, 999_949, 123_456_789, 13_476_000_000, 2.5e12, 3e15];
  assert.deepEqual(sizes.map(formatSize), [
    "0 bytes",
    "999 bytes",
    "1.0 kB",
    "17.4 MB",
    "1000 kB",
    "123 MB",
    "13.5 GB",
    "2.5 TB",
    "3000 TB",
  ]);
});

test("a model's row tells its size and where it lies, or that it is not there", () => {
  assert.equal(describeModel(BASE), "13.5 GB, Hugging Face cache");
  assert.equal(describeModel(ALIGNED), "13.5 GB, folder");
  assert.equal(describeModel({ ...BASE, where: "bundled" }), "13.5 GB, comes with ShiftLens");
  assert.equal(describeModel(MISSING), "not on this machine");
  assert.equal(describeModel(undefined), "");
});

test("a pair's row tells both sizes together and every place, and names what is missing", () => {
  const pair = (...[base, aligned]: [LocalModel, LocalModel]): Pair => [base.name, aligned.name];
  const all = [BASE, ALIGNED, MISSING];
  assert.equal(describePair(pair(BASE, ALIGNED), all), "27.0 GB together, Hugging Face cache and folder");
  assert.equal(describePair(pair(BASE, BASE), all), "27.0 GB together, Hugging Face cache");
  assert.equal(describePair(pair(BASE, MISSING), all), "other not on this machine");
  assert.equal(describePair(pair(BASE, MISSING), []), "", "nobody could be asked");
  assert.equal(pairLabel(pair(BASE, ALIGNED)), "base-7b → aligned-7b");
  assert.equal(pairLabel(["C:\\models\\b\\", "bundled:aligned"]), "b → bundled:aligned");
});

test("the pair chosen last comes first, once, and the bundled one, which is always offered, never", () => {
  const names = ["a", "b", "c", "d", "e", "f"];
  const recent = names.reduce<Pair[]>((pairs, name) => recentWith(pairs, [name, name]), []);
  assert.deepEqual(
    recent.map(([name]) => name),
    ["f", "e", "d", "c", "b"],
  );
  assert.deepEqual(recentWith(recent, ["c", "c"])[0], ["c", "c"]);
  assert.equal(recentWith(recent, ["c", "c"]).length, 5);
  assert.deepEqual(recentWith(recent, BUNDLED), recent);
});

test("what is no pair is left out of what was stored", () => {
  assert.deepEqual(pairsIn([["a", "b"], ["a"], ["a", ""], "ab", null, ["c", "d"]]), [
    ["a", "b"],
    ["c", "d"],
  ]);
  assert.deepEqual(pairsIn(undefined), []);
});
