// npm run demo: a small internet opens, and in it a laptop with Culvert's window. With --auto the demo itself is the
// person: every step says what was done and what the wires counted, and the exit code is 0 only if all of it holds.
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { type Culvert, startCulvert } from "./culvert.ts";
import { shot, type Stage } from "./demo-stage.ts";
import { steps } from "./demo-steps.ts";
import { enter, inside } from "./enter.ts";
import { internet, nodes } from "./internet.ts";
import { confOf } from "./keys.ts";
import { openLab } from "./lab.ts";
import { openReport } from "./report.ts";
import { watch } from "./watcher.ts";
import { openWindow } from "./window.ts";

const folder = fileURLToPath(new URL("../../demo-report", import.meta.url));
const auto = process.argv.includes("--auto");
const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

if (!inside()) process.exit(await enter([process.execPath, ...process.argv.slice(1)]));
process.exit(await (auto ? drive() : leaveToThePerson()));

/** Opens the window on the lab, with every node of it in files to add, and waits until the window is closed. */
async function leaveToThePerson(): Promise<number> {
  const lab = await openLab(internet());
  const laptop = lab.machine("laptop");
  const culvert = await startCulvert(lab, laptop);
  const window = await openWindow(lab, laptop, process.env["LANG"]?.slice(0, 2) ?? "en");
  const files = join(lab.folder, "home", "nodes");
  mkdirSync(files, { recursive: true });
  for (const node of nodes) {
    const file = `/run/culvert-lab/home/nodes/${node.machine}.conf`;
    await laptop.exec(["tee", file], { input: confOf(node) });
    await culvert.cli("import", file, "--name", node.city);
  }
  say(`The window is open on a lab of ${lab.topology.machines.length} machines; ${nodes.length} nodes are added.`);
  say("Look from the laptop: npm run lab -- shell laptop. Close the window, or press Ctrl-C, to end it all.");
  const interrupted = new Promise<void>((done) => process.once("SIGINT", done));
  await Promise.race([window.closed, interrupted]);
  await lab.close();
  return 0;
}

async function drive(): Promise<number> {
  rmSync(folder, { recursive: true, force: true });
  const report = openReport(folder, say);
  say("Opening a small internet: a home with a printer, a provider, web hosts, seven WireGuard nodes.");
  const lab = await openLab(internet());
  const stage: Stage = {
    lab,
    laptop: lab.machine("laptop"),
    report,
    folder,
    say,
    home: watch(lab, "home", "laptop"),
    second: watch(lab, "second", "laptop"),
    plugged: { at: null },
  };
  try {
    for (const step of steps) {
      say(`\n${step.title}`);
      await step.run(stage);
    }
  } catch (error) {
    // the rest of the road stands on this step, so nothing after it could be told honestly
    report.check("the demo goes through", false, String(error));
    if (stage.window !== undefined) await shot(stage, "stopped", "Where the demo stopped").catch(() => undefined);
    if (stage.culvert !== undefined) await tellHelper(stage.culvert);
  } finally {
    await stage.window?.close().catch(() => undefined);
    await lab.close();
  }
  say(`\n${report.checks.filter((c) => c.passed).length} of ${report.checks.length} hold. demo-report/report.html`);
  return report.passed ? 0 : 1;
}

async function tellHelper(culvert: Culvert): Promise<void> {
  const status = await culvert.cli("status", "--json");
  say(`\nThe helper's status:\n${status.stdout}${status.stderr}\nIts log:\n${await tail(culvert.log)}`);
}

async function tail(file: string): Promise<string> {
  const { readFile } = await import("node:fs/promises");
  const text = await readFile(file, "utf8").catch(() => "(none)");
  return text.trimEnd().split("\n").slice(-40).join("\n");
}
