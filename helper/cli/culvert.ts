// The `culvert` command: names its verbs, reads what is common to them, runs one. `culvert daemon` is the helper itself.
import { parseArgs } from "node:util";

import { socketPath } from "../contract/message.ts";
import { connectHelper } from "./client.ts";
import { apps } from "./apps.ts";
import { confirm } from "./confirm.ts";
import { down } from "./down.ts";
import { explain } from "./explain.ts";
import { importNode } from "./import.ts";
import { leaks } from "./leaks.ts";
import { nodes } from "./nodes.ts";
import { plan } from "./plan.ts";
import { policy } from "./policy.ts";
import { prove } from "./prove.ts";
import { remove } from "./remove.ts";
import { repair } from "./repair.ts";
import { reset } from "./reset.ts";
import { status } from "./status.ts";
import { up } from "./up.ts";
import { type ExitCode, type Options, refused, type Verb } from "./verb.ts";
import { watch } from "./watch.ts";
import { wordsFor } from "./words.ts";

const verbs: Readonly<Record<string, Verb>> = {
  ...{ up, down, status, nodes, plan, policy, remove, reset, watch, confirm, prove, explain, repair, apps, leaks },
  import: importNode,
};

export async function main(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<ExitCode> {
  const words = wordsFor(env["LC_ALL"] ?? env["LC_MESSAGES"] ?? env["LANG"] ?? "");
  const print = (text: string): void => void process.stdout.write(`${text}\n`);
  const note = (text: string): void => void process.stderr.write(`${text}\n`);
  const read = readArguments(argv);
  const [name = "", ...args] = read?.positionals ?? [];
  const verb = Object.hasOwn(verbs, name) ? verbs[name] : undefined;
  if (read?.help === true || name === "help") {
    print(words.say("usage", {}));
    return 0;
  }
  if (read === null || verb === undefined || args.length < verb.arguments.from || args.length > verb.arguments.to) {
    note(words.say("usage", {}));
    return 2;
  }
  const { json } = read;
  const client = await connectHelper(read.socket ?? env["CULVERT_SOCKET"] ?? socketPath);
  if (!client.ok) return refused({ json, words, print, note }, client.refusal);
  try {
    return await verb.run({
      words,
      json,
      args,
      name: read.name,
      options: read.options,
      client: client.value,
      print,
      note,
    });
  } finally {
    client.value.close();
  }
}

interface Read {
  readonly positionals: readonly string[];
  readonly json: boolean;
  readonly help: boolean;
  readonly name: string | undefined;
  readonly socket: string | undefined;
  readonly options: Options;
}

function readArguments(argv: readonly string[]): Read | null {
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
        name: { type: "string" },
        socket: { type: "string" },
        app: { type: "string" },
        user: { type: "string" },
        from: { type: "string" },
        device: { type: "string" },
        in: { type: "string" },
        policy: { type: "string" },
        node: { type: "string" },
        at: { type: "string" },
        within: { type: "string" },
        keep: { type: "boolean", default: false },
        anyway: { type: "boolean", default: false },
        diff: { type: "boolean", default: false },
        all: { type: "boolean", default: false },
      },
    });
    const { json, help, name, socket, app, user, from, device, policy, node, at, within, keep, anyway, diff, all } =
      values;
    const options = { app, user, from, device, incoming: values.in, policy, node, at, within, keep, anyway, diff, all };
    return { positionals, json, help, name, socket, options };
  } catch {
    return null;
  }
}

if (import.meta.main) {
  if (process.argv[2] === "daemon") {
    const { runDaemon } = await import("../main.ts");
    await runDaemon(process.argv.slice(3), process.env);
  } else {
    // a reader that goes away (head, less) is no failure of ours
    process.stdout.on("error", () => process.exit(0));
    process.exitCode = await main(process.argv.slice(2), process.env);
  }
}
