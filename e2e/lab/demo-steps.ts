// The demo, step by step: what a person does, what goes wrong on purpose (demo-faults.ts), and what the wires saw meanwhile.
// Leaks are counted by the wires alone; the window and the helper are only asked where they say something a person relies on.
import { connectedTo, offline } from "../net/allowed.ts";
import { startCulvert } from "./culvert.ts";
import { adapterDeleted, engineKilled, gateUnderPings, helperKilled, secondUplink } from "./demo-faults.ts";
import { backup, backupAllowed, figure, must, node, shot, type Stage, type Step, total, wire } from "./demo-stage.ts";
import { everything, flood } from "./flood.ts";
import { nodes } from "./internet.ts";
import { confOf } from "./keys.ts";
import type { Machine } from "./machine.ts";
import { places } from "./places.ts";
import { until } from "./process.ts";
import { differences, snapshot } from "./snapshot.ts";
import { openWindow, type Window } from "./window.ts";

const connected = '[data-situation="proven"], [data-situation="protected"]';

export const steps: readonly Step[] = [
  { title: "Before Culvert: do the wires see what leaves?", run: control },
  { title: "A newcomer opens the window.", run: firstWindow },
  { title: "A broken configuration file.", run: badFile },
  { title: "More nodes by the command line, measured.", run: otherNodes },
  { title: "A node by its configuration file, and connect.", run: addAndConnect },
  { title: "Pages by IPv4 and IPv6.", run: pages },
  { title: "The leak check.", run: checkLeaks },
  { title: "The printer on the local network.", run: print },
  { title: "One network goes direct, because the person says so.", run: direct },
  { title: "Every screen, small and large, light and dark.", run: screens },
  { title: "The engine is killed under a flood.", run: engineKilled },
  { title: "The helper is killed under a flood.", run: helperKilled },
  { title: "The adapter is deleted under a flood.", run: adapterDeleted },
  { title: "A second uplink with metric 0 is plugged in under a flood.", run: secondUplink },
  { title: "The gate's helper is killed while pings flood.", run: gateUnderPings },
  { title: "Disconnect, and look whether the machine is as before.", run: disconnect },
];

async function control({ laptop, home, report, ...stage }: Stage): Promise<void> {
  const since = Date.now();
  const sent = total(await flood(laptop, everything(), 2));
  const { counts } = await home.look(offline, since);
  report.check(
    "without Culvert the wire sees everything",
    counts.beside >= sent * 0.9 && sent > 10_000,
    `${figure(counts.beside)} frames in the open of ${figure(sent)} packets sent`,
  );
  stage.say("  From here on every such frame is a leak.");
}

async function firstWindow(stage: Stage): Promise<void> {
  const { lab, laptop, report } = stage;
  stage.before = await snapshot(laptop);
  stage.culvert = await startCulvert(lab, laptop);
  stage.window = await openWindow(lab, laptop);
  await shot(stage, "first-run", "A newcomer's first look: no node yet");
  report.check("the window opens", true, `${Math.round(stage.window.startedMs)} ms from start to its first words`);
}

async function badFile(stage: Stage): Promise<void> {
  const { report } = stage;
  const window = must(stage.window);
  await paste(window, "Broken", confOf(node).replace("Address", "PostUp = touch /tmp/owned\nAddress"));
  await window.click("button", "Add only");
  const said = await window.text('[role="alert"]');
  await shot(stage, "bad-file", "A file that asks to run a command");
  const known = await must(stage.culvert).nodes();
  report.check("a hostile file is refused in words and adds nothing", known.length === 0, `“${said}”`);
  await window.click("button", "Forget this text");
}

async function otherNodes(stage: Stage): Promise<void> {
  const { laptop, report } = stage;
  const others = nodes.filter((other) => other !== node);
  const culvert = must(stage.culvert);
  for (const other of others) {
    const file = `/run/culvert-lab/home/${other.machine}.conf`;
    await laptop.exec(["tee", file], { input: confOf(other) });
    await culvert.json("import", file, "--name", other.city);
  }
  await must(stage.window).click("button", "Nodes");
  const measured = await until(
    "round trips of all nodes",
    async () => {
      const known = await culvert.nodes();
      return known.every((one) => (one.ping?.samplesMs.length ?? 0) >= 3) ? known : undefined;
    },
    40_000,
  );
  await shot(stage, "nodes", "Six nodes, measured live before anything is connected");
  const nearest = [...measured].sort((a, b) => (a.ping?.medianMs ?? Infinity) - (b.ping?.medianMs ?? Infinity));
  const said = nearest.map((one) => `${one.name} ${one.ping?.medianMs?.toFixed(1) ?? "no answer"} ms`).join(", ");
  // the far ones are told apart on the busiest machine; the near ones lie within its own jitter
  const far = nearest.slice(-2).map((one) => one.name);
  report.check("round trips are measured", far.join() === "Port Amsel,Kestrel Bay", said);
}

async function checkLeaks(stage: Stage): Promise<void> {
  const { report, home } = stage;
  const window = must(stage.window);
  await window.click("button", "Leaks");
  const since = Date.now();
  await window.click("button", "Check now");
  await window.waitFor("[data-verdict]");
  await shot(stage, "leaks", "The leak check");
  const rows = `[...document.querySelectorAll("[data-verdict]")].map((row) => row.dataset.verdict + ": " + row.innerText.replaceAll(/\\s+/g, " ").trim())`;
  const said = (await window.order({ do: "evaluate", expression: rows })) as readonly string[];
  const holds = said.filter((row) => row.startsWith("holds")).length;
  const leaks = said.filter((row) => row.startsWith("leaks")).length;
  report.check("the leak check finds none", leaks === 0 && holds >= 3, said.join("; "));
  const { counts, beside } = await home.look(connectedTo(node), since);
  report.check("and made none itself", counts.beside === 0, wire(counts, beside));
  await window.click("button", "Connect");
}

async function addAndConnect(stage: Stage): Promise<void> {
  const { report, home } = stage;
  const window = must(stage.window);
  await window.click("button", "Nodes");
  await window.click("button", "Add");
  await paste(window, node.city, confOf(node));
  await shot(stage, "add-node", "A node by its configuration file");
  const since = Date.now();
  await window.click("button", "Add and connect");
  await window.click("button", "Connect").catch(() => undefined);
  await window.waitFor(connected);
  const took = Date.now() - since;
  const status = await must(stage.culvert).waitFor(["connected"]);
  await until("the address as the node sees it", async () => {
    const now = await must(stage.culvert).status();
    return now.seenAs.ipv4 === null ? undefined : true;
  });
  await shot(stage, "connected", "Connected");
  const { counts, beside } = await home.look(connectedTo(node), status.since);
  report.check(
    "connected by the window's button",
    true,
    `${took} ms from click to the window's “${await headline(window)}”`,
  );
  report.check("nothing beside the tunnel since", counts.beside === 0, wire(counts, beside));
}

async function pages({ laptop, report, home }: Stage): Promise<void> {
  const since = Date.now();
  for (const [family, host, expected] of [
    ["IPv4", places.web.ipv4, node.address4],
    ["IPv6", `[${places.web.ipv6}]`, node.address6],
  ] as const) {
    const caller = await fetchAddress(laptop, `http://${host}/json`);
    report.check(
      `a page by ${family} comes through the node`,
      caller === expected,
      `the host saw ${caller}, the node is ${expected}`,
    );
  }
  const byName = await fetchAddress(laptop, `http://${places.web.name}/json`);
  report.check(
    "names are asked inside",
    byName === node.address4 || byName === node.address6,
    `${places.web.name} answered, and saw ${byName}`,
  );
  const { counts, beside } = await home.look(connectedTo(node), since);
  report.check("and nothing of it beside the tunnel", counts.beside === 0, wire(counts, beside));
}

async function print({ laptop, report, lab }: Stage): Promise<void> {
  const job = `echo page | timeout 5 bash -c 'cat > /dev/tcp/${places.printer.ipv4}/9100'`;
  await laptop.exec(job, { mayFail: true });
  const page = await laptop.exec(["curl", "-sS", "-m", "5", `http://${places.printer.ipv4}/jobs`], { mayFail: true });
  const jobs = lab.events("printer", "printed");
  report.check(
    "the printer prints",
    jobs.length > 0,
    `${jobs.length} job on the printer; its page says ${page.stdout.trim() || "nothing"}`,
  );
}

async function direct(stage: Stage): Promise<void> {
  const { laptop, report, home } = stage;
  const window = must(stage.window);
  await window.click("button", "Lanes");
  await window.click("button", "Add");
  await window.order({ do: "fill", label: "Name", text: "Backup" });
  await window.order({ do: "fill", label: "To these networks or addresses, one a line", text: backup.join("\n") });
  await window.click("button", "Done");
  await shot(stage, "lanes-draft", "A rule before it is saved");
  await window.click("button", "Save and apply");
  await until("the rule is applied", async () => {
    const status = await must(stage.culvert).status();
    return status.state.kind === "connected" && status.direct.some((d) => d.text.includes("Backup")) ? true : undefined;
  });
  const since = Date.now();
  const caller = await fetchAddress(laptop, `http://${places.backup.ipv4}/json`);
  const other = await fetchAddress(laptop, `http://${places.web.ipv4}/json`);
  report.check(
    "the direct network is reached directly",
    caller === places.home.ipv4,
    `backup saw ${caller}, the home is ${places.home.ipv4}`,
  );
  report.check("and all else still through the node", other === node.address4, `the web host saw ${other}`);
  const { counts, beside } = await home.look(backupAllowed(), since);
  report.check("direct is only what was said to be", counts.beside === 0 && counts.direct > 0, wire(counts, beside));
  await window.click("button", "Connect");
}

async function screens(stage: Stage): Promise<void> {
  const window = must(stage.window);
  for (const theme of ["light", "dark"] as const) {
    await window.order({ do: "theme", theme });
    for (const [width, height] of [
      [760, 560],
      [1080, 720],
      [1600, 1000],
    ] as const) {
      await window.order({ do: "size", width, height });
      for (const screen of ["Connect", "Nodes", "Lanes", "Leaks", "Settings"]) {
        await window.click("button", screen);
        await shot(stage, `${screen.toLowerCase()}-${width}-${theme}`, `${screen}, ${width} × ${height}, ${theme}`);
      }
    }
  }
  await window.order({ do: "theme", theme: "light" });
  await window.order({ do: "size", width: 1080, height: 720 });
  await window.click("button", "Connect");
  stage.report.check("every screen opens at every size", true, "30 pictures below");
}

async function disconnect(stage: Stage): Promise<void> {
  const { laptop, report } = stage;
  const window = must(stage.window);
  await laptop.exec(`ip link del ${places.second.uplink}`, { mayFail: true });
  await stage.lab.wire("second").unplug("laptop");
  await window.click("button", "Disconnect");
  await window.waitFor('[data-situation="off"]');
  await shot(stage, "off", "Off again");
  await must(stage.culvert).stop();
  const changed = differences(must(stage.before), await snapshot(laptop));
  report.check(
    "the machine is as before",
    changed.length === 0,
    changed.length === 0
      ? "links, addresses, rules, routes, nexthops, nft, sysctls and resolv.conf are equal"
      : changed.slice(0, 8).join("; "),
  );
}

async function paste(window: Window, name: string, text: string): Promise<void> {
  await window.order({ do: "click-css", css: "button:has-text('Paste text')" });
  await window.order({ do: "fill", label: "Paste text", text });
  await window.order({ do: "fill", label: "Name", text: name });
}

const headline = (window: Window): Promise<string> => window.text("h1");

async function fetchAddress(laptop: Machine, url: string): Promise<string> {
  const got = await laptop.exec(["curl", "-sS", "-m", "8", url], { mayFail: true });
  if (got.code !== 0) return `nobody (${got.stderr.trim()})`;
  return String((JSON.parse(got.stdout) as { address: unknown }).address);
}
