import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { afterEach, expect, test } from "vitest";

import type { AppHeld } from "../contract/apps.ts";
import { defaultPolicy } from "../contract/policy.ts";
import { refusalCodes, grant, refuse } from "../contract/refusal.ts";
import type { Address } from "../contract/prefix.ts";
import type { LeakCheck, Status } from "../contract/status.ts";
import type { Explanation, TraceQuestion } from "../contract/trace.ts";
import { openLists } from "../nodes/lists.ts";
import { openStore } from "../nodes/store.ts";
import type { Handlers, Hub } from "../server/dispatch.ts";
import { listen } from "../server/listen.ts";
import { wordsFor } from "./words.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

const a = `${"c".repeat(42)}A=`;
const conf = `# City = Vilnius\n[Interface]\nPrivateKey = ${"b".repeat(42)}A=\nAddress = 10.7.0.2/32\nTable = off\n[Peer]\nPublicKey = ${a}\nEndpoint = 192.0.2.1:51820\nAllowedIPs = 0.0.0.0/0\n`;

test("a file is imported, listed, connected by the beginning of its name, and removed", async () => {
  const { run, file, store } = await serve();
  const path = file("lt.conf", conf);
  expect(await run(["import", path])).toMatchObject({ code: 0, out: "Added Vilnius.\n" });
  expect((await run(["nodes"])).out).toBe(`  Vilnius  Vilnius  192.0.2.1:51820      ${a}\n`);
  store.load(a, 0.42);
  expect((await run(["nodes"])).out).toBe(`  Vilnius  Vilnius  192.0.2.1:51820    42 %  ${a}\n`);
  expect((await run(["up", "vil"])).out).toContain("Connected. Your traffic goes through Vilnius (192.0.2.1:51820).");
  expect((await run(["remove", "Vilnius"])).out).toBe("Forgot Vilnius and its keys.\n");
  expect((await run(["nodes"])).out).toContain("There are no nodes yet.");
});

test("orders to wg-quick's routing are named when a file is imported", async () => {
  const { run, file } = await serve();
  expect((await run(["import", file("a.conf", conf)])).err).toContain("Line 5: Table");
});

test("with --json there is one value on standard output and nothing beside it", async () => {
  const { run, file } = await serve();
  const added = await run(["import", file("a.conf", conf), "--name", "Mine", "--json"]);
  expect(JSON.parse(added.out)).toMatchObject({ id: a, name: "Mine" });
  expect(JSON.parse((await run(["status", "--json"])).out)).toMatchObject({ state: { kind: "off" } });
  const refused = await run(["up", "nowhere", "--json"]);
  expect(refused).toMatchObject({ code: 1, err: "" });
  expect(JSON.parse(refused.out)).toEqual({ refusal: { code: "node.unknown", data: { node: "nowhere" } } });
});

test.each([
  [
    "a command",
    conf.replace("Table = off", "PostUp = touch /tmp/owned"),
    "Line 5: PostUp would run a command as root.",
  ],
  ["ten megabytes", "x".repeat(10_000_000), "The file is too big"],
  ["bytes that are no text", Buffer.from([0xff, 0xfe, 0x00]), "cannot be read as a text file"],
])(
  "a file with %s is refused in a sentence, with exit code 1, and nothing is added",
  async (_what, content, sentence) => {
    const { run, file, store } = await serve();
    const result = await run(["import", file("bad.conf", content)]);
    expect(result).toMatchObject({ code: 1, out: "" });
    expect(result.err).toContain(sentence);
    expect(result.err).toContain("Nothing was added.");
    expect(store.nodes()).toEqual([]);
  },
);

test("a file that is not there, and a connection without a node, say what is missing", async () => {
  const { run } = await serve();
  expect(await run(["import", "/nonexistent/x.conf"])).toMatchObject({
    ...{ code: 1, out: "" },
    err: "There is no file /nonexistent/x.conf.\nNothing was added.\n",
  });
  expect(await run(["up"])).toMatchObject({
    code: 1,
    out: "",
    err: "There are no nodes yet. Add one: culvert import FILE\n",
  });
});

test("a policy comes out as it can be put back in, and a broken one is refused here", async () => {
  const { run, file } = await serve();
  const policy = JSON.parse((await run(["policy", "get"])).out) as typeof defaultPolicy;
  expect(policy).toEqual(defaultPolicy);
  expect((await run(["policy", "set", file("p.json", JSON.stringify({ ...policy, ipv6: "block" }))])).code).toBe(0);
  expect(JSON.parse((await run(["policy", "get"])).out)).toMatchObject({ ipv6: "block" });
  expect(await run(["policy", "set", file("q.json", '{"mode":"nothing"}')])).toMatchObject({ code: 1 });
});

test("what would end a session from afar is refused in a sentence and changes nothing; --keep welcomes it", async () => {
  const { run, file, store, answers } = await serve();
  await run(["import", file("a.conf", conf)]);
  answers.session = "198.51.100.7" as Address;
  const strict = file("p.json", JSON.stringify({ ...defaultPolicy, ipv6: "block" }));
  for (const args of [["policy", "set", strict], ["up"]]) {
    const no = await run(args);
    expect(no).toMatchObject({ code: 1, out: "" });
    expect(no.err).toContain("would end the connection from 198.51.100.7 (port 22)");
    expect(store.policy()).toEqual(defaultPolicy);
  }
  expect((await run(["up", "--keep"])).code).toBe(0);
  const welcome = [{ protocol: "tcp", port: 22, from: ["198.51.100.7/32"] }];
  expect(store.policy()).toEqual({ ...defaultPolicy, welcome });
  expect((await run(["policy", "set", strict, "--anyway"])).code).toBe(0);
  expect(store.policy()).toEqual({ ...defaultPolicy, ipv6: "block" });
  expect((await run(["policy", "set", strict, "--within", "60"])).code).toBe(0);
});

test("a file of prefixes becomes a rule; nonsense is told by its lines and changes nothing", async () => {
  const { run, file, store } = await serve();
  const text = Array.from({ length: 60_000 }, (_, i) => `2001:db8:${i.toString(16)}::/48 # ${i}`).join("\n");
  const done = await run(["policy", "import", file("many.txt", text), "direct", "port=443", "--name", "Many"]);
  expect(done).toMatchObject({ code: 0 });
  // 60,000 neighbours are few prefixes
  expect(done.err).toMatch(/60000 lines, 60000 prefixes, \d\d? after merging/);
  const [rule] = store.policy().rules;
  expect(rule).toMatchObject({ name: "Many", lane: "direct", match: { ports: [{ from: 443, to: 443 }] } });
  expect(rule?.match.lists).toHaveLength(1);
  expect((await run(["policy"])).out).toContain(`list=${rule?.match.lists?.[0]?.slice(0, 12) ?? "?"} port=443`);
  const bad = await run(["policy", "import", file("bad.txt", "10.0.0.0/8\nnonsense\n10.0.0.0/99\n"), "block"]);
  expect(bad).toMatchObject({ code: 1, out: "" });
  expect(bad.err).toContain("Line 2 is no prefix: nonsense");
  expect(bad.err).toContain("2 lines are no prefixes. Nothing was changed.");
  expect((await run(["policy", "import", file("none.txt", "# nothing\n"), "block"])).err).toContain("no prefix in it");
  expect(await run(["policy", "import", file("x.txt", "10.0.0.0/8"), "sideways"])).toMatchObject({ code: 2 });
  expect(store.policy().rules).toHaveLength(1);
});

test("presets are rules, one a word, and the mode that goes with them", async () => {
  const { run, store } = await serve();
  await run(["policy", "preset", "everything-but", "name=bank.example,*.tv.example", "to=192.0.2.0/24"]);
  expect(store.policy()).toMatchObject({
    mode: "everything",
    rules: [
      { lane: "direct", match: { names: ["bank.example", "*.tv.example"] } },
      { lane: "direct", match: { destination: ["192.0.2.0/24"] } },
    ],
  });
  await run(["policy", "preset", "only", "app=/usr/bin/firefox"]);
  expect(store.policy()).toMatchObject({ mode: "only", rules: [{ lane: "tunnel" }] });
  await run(["policy", "preset", "everything"]);
  expect(store.policy()).toEqual(defaultPolicy);
  for (const wrong of [["everything", "to=192.0.2.0/24"], ["only"], ["nothing"], ["only", "name=192.0.2.1"]])
    expect(await run(["policy", "preset", ...wrong])).toMatchObject({ code: 2 });
  expect(store.policy()).toEqual(defaultPolicy);
});

test("wrong use, no helper, and not being allowed have exit codes of their own", async () => {
  const { run, socket } = await serve();
  expect(await run(["fly"])).toMatchObject({ code: 2 });
  expect(await run(["status", "more"])).toMatchObject({ code: 2 });
  expect(await run(["constructor"])).toMatchObject({ code: 2 });
  expect(await run(["--help"])).toMatchObject({ code: 0, err: "" });
  expect(await run(["status", "--socket", `${socket}.none`])).toMatchObject({ code: 3 });
  const closed = await serve({ uid: 1000 });
  const stranger = await closed.run(["status"]);
  expect(stranger.code).toBe(4);
  expect(stranger.err).toContain("join the group culvert");
});

test("rules are added, moved and removed by their words, and each is shown in its place", async () => {
  const { run, store } = await serve();
  await run(["policy", "add", "direct", "to=192.0.2.0/24,2001:db8::1", "--name", "Bank"]);
  await run(["policy", "add", "block", "port=25,465-587", "proto=tcp", "user=0", "--name", "Mail", "--at", "1"]);
  const shown = await run(["policy"]);
  expect(shown.out).toBe(
    "1. Mail: user=0 proto=tcp port=25,465-587 → blocked\n" +
      "2. Bank: to=192.0.2.0/24,2001:db8::1/128 → direct, in the open\neverything else: the tunnel\n",
  );
  expect((await run(["policy", "move", "Bank", "1"])).code).toBe(0);
  expect(store.policy().rules.map((rule) => rule.name)).toEqual(["Bank", "Mail"]);
  expect((await run(["policy", "remove", "2"])).code).toBe(0);
  expect(store.policy().rules.map((rule) => rule.name)).toEqual(["Bank"]);
});

test.each([
  ["policy", "add", "sideways", "to=192.0.2.0/24"],
  ["policy", "add", "direct", "to=nonsense"],
  ["policy", "add", "direct", "port=99999"],
  ["policy", "add", "direct", "colour=red"],
  ["policy", "add", "direct"],
  ["policy", "move", "Nothing", "1"],
  ["policy", "set", "/dev/null", "--within", "1"],
  ["explain", "[nonsense]:80"],
  ["explain", "192.0.2.1", "gre"],
  ["explain", "192.0.2.1", "--app", "no-such-program-here"],
  ["explain", "192.0.2.1", "--user", "no-such-user-here"],
])("what is not understood changes nothing: %s %s %s %s", async (...words) => {
  const { run, store } = await serve();
  const before = store.policy();
  const result = await run(words);
  expect([1, 2]).toContain(result.code);
  expect(result.err).not.toBe("");
  expect(store.policy()).toEqual(before);
});

test("an explanation is told line by line, and a finding makes the exit code 1", async () => {
  const { run, answers } = await serve();
  const told = await run(["explain", "192.0.2.9:443", "--user", "0"]);
  expect(answers.explained).toEqual([{ to: "192.0.2.9", user: 0, port: 443 }]);
  expect(told.code).toBe(0);
  expect(told.out).toContain("policy     1. Bank: direct, in the open\n");
  expect(told.out).toContain("ip rule    ip rule pref 4300 lookup 7610\n");
  expect(told.out).toContain("nft        inet culvert output: accept (3 packets so far)\n");
  expect(told.out).toContain("goes       out by eth0 via 192.168.1.1, MTU 1500\n");
  expect(told.out).toContain("kernel     says the same: 192.0.2.0/24 dev eth0");
  answers.findings = [{ code: "model.differs", data: { model: "dev eth0", kernel: "ENETUNREACH" } }];
  const differs = await run(["explain", "192.0.2.9:443"]);
  expect(differs.code).toBe(1);
  expect(differs.out).toContain("! The model and the kernel differ. Model: dev eth0. Kernel: ENETUNREACH.");
});

test("programs are told with what holds them and what nothing covers, and their old connections closed", async () => {
  const { run } = await serve();
  const told = await run(["apps"]);
  expect(told.out).toContain(
    "/usr/bin/curl: by its file, however it is started; processes: 2; connections from before the rule: 3\n" +
      "snap chat: by where systemd puts its processes\n" +
      "desktop gone: not recognised: there is no such desktop entry, or it starts nothing; processes: 0\n" +
      "Connections from before a rule",
  );
  expect(told.out).toContain("- A connection that another program opened and handed over counts as that program's.");
  expect(JSON.parse((await run(["apps", "--json"])).out)).toMatchObject({ mechanism: "bpf", apps: held });
  expect((await run(["apps", "reopen"])).out).toBe("Closed: 7.\n");
  expect(JSON.parse((await run(["apps", "reopen", "snap:chat", "--json"])).out)).toEqual({ closed: 1 });
  expect(await run(["apps", "reopen", "no-such-program-here"])).toMatchObject({ code: 2, out: "" });
  expect(await run(["apps", "close"])).toMatchObject({ code: 2, out: "" });
  expect((await run(["apps"], { LANG: "ru_RU.UTF-8" })).out).toContain("/usr/bin/curl: по файлу");
  expect((await run(["apps"], { LANG: "zh_CN.UTF-8" })).out).toContain("/usr/bin/curl：按其文件识别");
});

test("leaks are told one a line with what was seen, and the exit code is 1 only where something leaks", async () => {
  const { run, answers } = await serve();
  const held = { code: "canaries-held", data: { tried: 2, refused: 2 } };
  answers.leaks = [
    { name: "bound-socket", verdict: "holds", at: 1, evidence: held },
    { name: "raw-frames", verdict: "not-checked", at: 1, evidence: { code: "newer", data: { n: 3 } } },
  ];
  expect(await run(["leaks"])).toMatchObject({
    ...{ code: 0, err: "" },
    out: "Bound to the uplink  holds        2 tried, 2 refused at once, none seen on the wire\nRaw frames           not checked  newer n=3\n",
  });
  answers.leaks = [{ ...answers.leaks[0], verdict: "leaks" } as LeakCheck];
  const { code, out } = await run(["leaks", "--json"]);
  expect([code, JSON.parse(out)]).toEqual([1, answers.leaks]);
});

test("watch prints each state once as it comes", async () => {
  const { start, emit } = await serve();
  const { child, line } = start(["watch"]);
  expect(await line()).toContain("Off.");
  emit(statusOf({ kind: "locked", node: ref, cause: "fight", attempts: 1, lastHeard: null }));
  expect(await line()).toContain("Another program keeps changing");
  child.kill();
});

test("off without a network it is not said that traffic leaves", () => {
  const said = wordsFor("C").status({ ...statusOf({ kind: "off" }), uplinks: [] });
  expect(said).toBe("Off. This machine has no network; nothing leaves it.");
});

test("the language follows LC_ALL and LANG, and every refusal is a sentence in each", async () => {
  const { run } = await serve();
  expect((await run(["status"], { LANG: "ru_RU.UTF-8" })).out).toContain("Выключено.");
  expect((await run(["status"], { LC_ALL: "zh_CN.UTF-8", LANG: "ru_RU" })).out).toContain("已关闭");
  for (const locale of ["C", "ru", "zh"]) {
    for (const code of refusalCodes) expect(wordsFor(locale).refusal(refuse(code).refusal).length).toBeGreaterThan(3);
  }
});

const ref = { id: a, name: "Vilnius", endpoint: "192.0.2.1:51820" };
function statusOf(state: Status["state"]): Status {
  return {
    ...{ seq: 1, helper: { version: "0", at: 0 }, state, since: 0, host: "h", direct: [], ipv6: "open" },
    uplinks: [{ name: "eth0", addresses: [], gateways: [], lan: [] }],
    ...{ inside: [], seenAs: { ipv4: null, ipv6: null }, dns: { servers: [], by: "none" }, proof: null },
    ...{ drift: [], notices: [] },
  };
}

const explanation: Explanation = {
  ...{ about: "stands", name: null, destination: "192.0.2.9" as Address, protocol: "tcp", port: 443 },
  ...{ lane: "direct", rule: { id: "bank", name: "Bank", place: 1 }, mark: null, source: null, mtu: 1500 },
  way: [
    { kind: "rule", text: "ip rule pref 4300 lookup 7610", ours: true, packets: null },
    { kind: "line", text: "inet culvert output: accept", ours: true, packets: 3 },
  ],
  end: { kind: "left", device: "eth0", gateway: "192.168.1.1" as Address },
  exit: { kind: "uplink", device: "eth0" },
  kernel: { kind: "route", text: "192.0.2.0/24 dev eth0", table: 7610, device: "eth0", gateway: null, source: null },
  ...{ agrees: true, findings: [] },
};

const held: readonly AppHeld[] = [
  { app: { kind: "executable", path: "/usr/bin/curl" }, by: "file", processes: 2, older: 3 },
  { app: { kind: "snap", name: "chat" }, by: "cgroup", processes: null, older: 0 },
  { app: { kind: "desktop", id: "gone" }, by: "no-entry", processes: 0, older: 0 },
];

async function serve({ uid = 0 } = {}) {
  const dir = mkdtempSync(join(tmpdir(), "culvert-cli-"));
  const socket = join(dir, "helper.sock");
  const store = openStore(dir);
  const lists = openLists(dir, Date.now);
  let listeners: Parameters<Hub["subscribe"]>[0][] = [];
  const answers = {
    explained: [] as TraceQuestion[],
    findings: [] as Explanation["findings"],
    leaks: [] as LeakCheck[],
    /** From where somebody works here whom no policy without a welcome keeps. */
    session: null as Address | null,
  };
  const off = async () => grant(statusOf({ kind: "off" }));
  const handlers: Handlers = {
    ...{ status: off, disconnect: off },
    connect: async () => grant(statusOf({ kind: "connected", node: ref })),
    nodes: async () => grant([...store.nodes()]),
    import: async ({ text, name }) => store.add(text, name),
    remove: async ({ node }) => store.remove(node),
    rename: async ({ node, name }) => store.rename(node, name),
    favourite: async ({ node, favourite }) => store.favourite(node, favourite),
    policy: async () => grant(store.policy()),
    setPolicy: async ({ policy }) => {
      store.setPolicy(policy);
      return off();
    },
    lists: async () => grant([]),
    listBegin: async () => lists.begin(),
    listAdd: async ({ upload, text }) => lists.add(upload, text),
    listEnd: async ({ upload }) => lists.end(upload),
    plan: async () => grant({ text: "ip rule add", notes: [] }),
    ...{ confirm: off, findings: async () => grant([]), repair: async () => grant({ done: [], left: [] }) },
    async check({ policy }) {
      if (answers.session === null) return refuse("node.unknown");
      const cut = { code: "session.cut", data: { from: answers.session, protocol: "tcp", port: 22 } };
      const nothing = { proof: null, counterexample: null, notes: [], difference: { added: [], removed: [], more: 0 } };
      return grant({ ...nothing, lints: policy.welcome.length === 0 ? [cut] : [] });
    },
    prove: async () => refuse("node.unknown"),
    explain: async ({ question }) => {
      answers.explained.push(question);
      return grant({ ...explanation, findings: answers.findings });
    },
    apps: async () => grant({ mechanism: "bpf", limits: ["handed-over"], apps: [...held] }),
    reopen: async ({ apps }) => grant({ closed: apps?.length ?? 7 }),
    leaks: async () => grant(answers.leaks),
    reset: async () => grant({ undone: [] }),
  };
  const hub: Hub = {
    ...{ version: "0", handlers },
    subscribe(listener) {
      listeners = [...listeners, listener];
      return () => (listeners = []);
    },
  };
  const credentials = () => ({ uid, gid: uid, groups: [] });
  const door = await listen({ path: socket, gid: null, credentials, log: () => undefined }, hub);
  cleanups.push(
    () => {
      rmSync(dir, { recursive: true });
    },
    () => door.close(),
  );
  const start = (args: string[], env: NodeJS.ProcessEnv = {}) => {
    const entry = fileURLToPath(new URL("culvert.ts", import.meta.url));
    const child = spawn(process.execPath, [entry, ...args], { env: { LANG: "C", CULVERT_SOCKET: socket, ...env } });
    const chunks: string[] = [];
    const waiting: ((text: string) => void)[] = [];
    child.stdout.on("data", (chunk: Buffer) => {
      const waiter = waiting.shift();
      if (waiter === undefined) chunks.push(chunk.toString());
      else waiter(chunk.toString());
    });
    const line = async () => chunks.shift() ?? (await new Promise<string>((resolve) => waiting.push(resolve)));
    return { child, line };
  };
  const run = (args: string[], env: NodeJS.ProcessEnv = {}) =>
    new Promise<{ code: number | null; out: string; err: string }>((resolve) => {
      const { child } = start(args, env);
      let out = "";
      let err = "";
      child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
      child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
      child.on("close", (code) => {
        resolve({ code, out, err });
      });
    });
  const file = (name: string, content: string | Buffer): string => {
    writeFileSync(join(dir, name), content);
    return join(dir, name);
  };
  const emit = (data: Status) => {
    for (const l of listeners) l({ event: "status", data });
  };
  return { run, start, file, store, socket, emit, answers };
}
