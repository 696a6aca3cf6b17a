// What the user gave us to keep: nodes with their keys, and the policy. Two files in the state directory. Keys come out of
// here only as a `Configuration` for the engine; everything else sees the contract's `Node`, which has no place for them.
import { join } from "node:path";

import { z } from "zod";

import { maxConfBytes } from "../contract/message.ts";
import { type Node, nodeSchema, type Ping } from "../contract/node.ts";
import { defaultPolicy, type Policy, policySchema } from "../contract/policy.ts";
import { familyOf } from "../contract/prefix.ts";
import { type Answer, grant, refuse } from "../contract/refusal.ts";
import { type Configuration, parseConf } from "./conf.ts";
import { readJsonFile, writeJsonFile } from "./file.ts";

export interface Store {
  nodes(): readonly Node[];
  node(id: string): Node | undefined;
  configuration(id: string): Configuration | undefined;
  add(text: string, name: string): Answer<Node>;
  remove(id: string): Answer<Record<string, never>>;
  rename(id: string, name: string): Answer<Node>;
  favourite(id: string, favourite: boolean): Answer<Node>;
  used(id: string, at: number): void;
  /** Not kept on disk: a round trip of yesterday says nothing. */
  ping(id: string, ping: Ping | null): void;
  /** As the node tells it now; not kept on disk either. */
  load(id: string, load: number | null): void;
  policy(): Policy;
  setPolicy(policy: Policy): void;
}

/** The file's text is kept, and read again with the parser of today: one form, one parser. */
const savedSchema = z.strictObject({
  version: z.literal(1),
  nodes: z.array(
    z.strictObject({
      text: z.string().max(maxConfBytes),
      name: nodeSchema.shape.name,
      favourite: z.boolean(),
      lastUsed: z.int().nullable(),
    }),
  ),
});
type Saved = z.infer<typeof savedSchema>["nodes"][number];
interface Kept extends Saved {
  readonly configuration: Configuration;
  readonly ping: Ping | null;
  readonly load: number | null;
}

/** `changed` hears of every change to the list. */
export function openStore(stateDir: string, changed: () => void = () => undefined): Store {
  const nodesPath = join(stateDir, "nodes.json");
  const policyPath = join(stateDir, "policy.json");
  const kept = new Map<string, Kept>();
  for (const saved of readJsonFile(nodesPath, savedSchema)?.nodes ?? []) {
    const parsed = parseConf(saved.text);
    if (!parsed.ok) throw new Error(`${nodesPath}: node ${saved.name}: ${parsed.refusal.code}`);
    kept.set(parsed.value.publicKey, { ...saved, configuration: parsed.value, ping: null, load: null });
  }
  let policy = readJsonFile(policyPath, policySchema) ?? defaultPolicy;

  const put = (id: string, node: Kept): void => {
    kept.set(id, node);
    save();
  };
  const save = (): void => {
    const nodes = [...kept.values()].map(({ text, name, favourite, lastUsed }) => ({
      text,
      name,
      favourite,
      lastUsed,
    }));
    writeJsonFile(nodesPath, { version: 1, nodes } satisfies z.infer<typeof savedSchema>);
    changed();
  };
  const change = (id: string, by: Partial<Kept>): Answer<Node> => {
    const node = kept.get(id);
    if (node === undefined) return refuse("node.unknown", { node: id });
    put(id, { ...node, ...by });
    return grant(toNode({ ...node, ...by }));
  };

  return {
    nodes: () => [...kept.values()].map(toNode),
    node: (id) => {
      const node = kept.get(id);
      return node === undefined ? undefined : toNode(node);
    },
    configuration: (id) => kept.get(id)?.configuration,
    add(text, name) {
      const parsed = parseConf(text);
      if (!parsed.ok) return parsed;
      const id = parsed.value.publicKey;
      const there = kept.get(id);
      if (there !== undefined) return refuse("node.exists", { node: id, name: there.name });
      const node = {
        text,
        name,
        favourite: false,
        lastUsed: null,
        configuration: parsed.value,
        ping: null,
        load: null,
      };
      put(id, node);
      return grant(toNode(node));
    },
    remove(id) {
      if (!kept.delete(id)) return refuse("node.unknown", { node: id });
      save();
      return grant({});
    },
    rename: (id, name) => change(id, { name }),
    favourite: (id, favourite) => change(id, { favourite }),
    used: (id, at) => void change(id, { lastUsed: at }),
    ping(id, ping) {
      const node = kept.get(id);
      if (node !== undefined) kept.set(id, { ...node, ping });
    },
    load(id, load) {
      const node = kept.get(id);
      if (node === undefined || node.load === load) return;
      kept.set(id, { ...node, load });
      changed();
    },
    policy: () => policy,
    setPolicy(next) {
      writeJsonFile(policyPath, next);
      policy = next;
    },
  };
}

function toNode({ configuration: c, name, favourite, lastUsed, ping, load }: Kept): Node {
  const carries = (family: 4 | 6): boolean =>
    c.addresses.some((a) => familyOf(a) === family) && c.allowedIps.some((p) => familyOf(p) === family);
  return {
    id: c.publicKey,
    name,
    ...c.place,
    endpoint: { ...c.endpoint },
    carries: { ipv4: carries(4), ipv6: carries(6) },
    addresses: [...c.addresses],
    dns: [...c.dns],
    allowedIps: [...c.allowedIps],
    mtu: c.mtu,
    favourite,
    lastUsed,
    load,
    ping,
  };
}
