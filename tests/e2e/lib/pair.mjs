// The models that the editor tests score with: the bundled pair where it is there, else a tiny random one made on the
// spot, which colours every class only under wide thresholds.
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { PYTHON, ROOT } from "./paths.mjs";

const run = promisify(execFile);
const HAS_BUNDLED = `
from shiftlens.bundled.paths import resolve_model_name
from pathlib import Path
print(all((Path(resolve_model_name(n)) / "model.safetensors").is_file() for n in ("bundled:base", "bundled:aligned")))
`;
const MAKE = `
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tiny_models import save_pair
save_pair(Path(sys.argv[2]), **json.loads(sys.argv[3]))
`;

/**
 * A random pair in the folders `base` and `aligned` of a folder; `shape` are settings of its configuration, and what is
 * not among them is tiny.
 */
export async function saveRandomPair(folder, shape = {}) {
  await run(PYTHON, ["-c", MAKE, join(ROOT, "tests"), folder, JSON.stringify(shape)], { cwd: tmpdir() });
}

/** `{ bundled, settings, remove }`: settings that choose the pair. */
export async function modelPair() {
  const { stdout } = await run(PYTHON, ["-c", HAS_BUNDLED], { cwd: tmpdir() });
  if (stdout.trim() === "True" && !process.env.SHIFTLENS_E2E_RANDOM_PAIR) {
    const settings = { "shiftlens.base": "bundled:base", "shiftlens.aligned": "bundled:aligned" };
    return { bundled: true, settings, remove: async () => undefined };
  }
  const folder = await mkdtemp(join(tmpdir(), "shiftlens-pair-"));
  await saveRandomPair(folder);
  const settings = {
    "shiftlens.base": join(folder, "base"),
    "shiftlens.aligned": join(folder, "aligned"),
    "shiftlens.thresholds": [60, 150],
  };
  return { bundled: false, settings, remove: () => rm(folder, { recursive: true, force: true }) };
}
