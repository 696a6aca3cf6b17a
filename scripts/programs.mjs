// The verbs that are programs of their own: demo, lab, bench, dist. Each runs in the foreground on Node 24, with a display
// and a session bus of its own where nobody is to look at the window.
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

import { closing, countDemo } from "./counts.mjs";
import { findElectron } from "./electron.mjs";
import { node24 } from "./packages.mjs";
import { Problem, root, run, say } from "./steps.mjs";

/** A virtual display, and a bus, so that a tray's watcher on this desktop is neither seen nor disturbed. */
export const virtualDisplay = ["xvfb-run", "-a", "-s", "-screen 0 1600x1200x24", "dbus-run-session", "--"];

/** Runs the demo and closes with how many of its checks held; a demo that wrote no report has failed. */
export async function demo(args) {
  const seen = !args.includes("--auto") && Boolean(process.env.DISPLAY || process.env.WAYLAND_DISPLAY);
  const auto = seen || args.includes("--auto") ? [] : ["--auto"];
  const report = join(root, "demo-report", "report.json");
  rmSync(report, { force: true });
  const code = await program("e2e/lab/demo.ts", [...args, ...auto], seen ? [] : virtualDisplay);
  if (seen) return code;
  const checks = existsSync(report) ? JSON.parse(readFileSync(report, "utf8")).checks : [];
  const sum = countDemo(checks, code);
  say(closing(sum));
  return sum.failed === 0 ? 0 : 1;
}

export function lab(args) {
  return program("e2e/lab/open.ts", args, []);
}

export function bench(args) {
  return program("e2e/bench/bench.ts", args, virtualDisplay);
}

export async function dist(args) {
  const builder = join(root, "node_modules", "electron-builder", "cli.js");
  return (await run(node24, [builder, "--linux", ...args])).code;
}

async function program(file, args, inside) {
  if (!existsSync(join(root, file))) throw new Problem(`${file} is not there.`);
  const [command, ...rest] = [...inside, node24, join(root, file), ...args];
  return (await run(command, rest, { env: { CULVERT_ELECTRON: findElectron()?.path ?? "" } })).code;
}
