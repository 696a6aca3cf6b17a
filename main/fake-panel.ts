// A desktop panel that only listens: org.kde.StatusNotifierWatcher on the session bus, and a hand that reads an icon's
// picture and menu and clicks in it, as panels do (StatusNotifierItem and com.canonical.dbusmenu). For tests.
import { createHash } from "node:crypto";

import dbus from "dbus-next";
import { z } from "zod";

const { Message, Variant } = dbus;
const watcherName = "org.kde.StatusNotifierWatcher";

export interface Entry {
  readonly id: number;
  readonly label: string;
  readonly enabled: boolean;
  readonly ticked: boolean;
}

export interface Panel {
  /** How many icons are there. One that ended without a word is not. */
  icons(): Promise<number>;
  /** A hash of what the icon shows now. */
  picture(): Promise<string>;
  tooltip(): Promise<string>;
  menu(): Promise<readonly Entry[]>;
  /** Clicks the menu's entry with this label; throws when there is none. */
  click(label: string): Promise<void>;
  close(): Promise<void>;
}

export async function openPanel(): Promise<Panel> {
  const bus = dbus.sessionBus();
  const items: string[] = [];
  const watcher = new Watcher((service) => items.push(service));
  bus.export("/StatusNotifierWatcher", watcher);
  await bus.requestName(watcherName, 0);

  const living = async (): Promise<readonly string[]> => {
    const place = {
      destination: "org.freedesktop.DBus",
      path: "/org/freedesktop/DBus",
      interface: "org.freedesktop.DBus",
    };
    const asked = [...new Set(items)].map(async (item) => {
      const reply = await bus.call(new Message({ ...place, member: "NameHasOwner", signature: "s", body: [item] }));
      return z.tuple([z.boolean()]).parse(reply?.body)[0] ? [item] : [];
    });
    return (await Promise.all(asked)).flat();
  };
  const call = async (path: string, face: string, member: string, signature: string, body: unknown[]) => {
    const destination = (await living()).at(-1);
    if (destination === undefined) throw new Error("no tray icon has registered");
    const reply = await bus.call(new Message({ destination, path, interface: face, member, signature, body }));
    return plain(reply?.body ?? []);
  };
  const property = async (name: string): Promise<unknown> => {
    const args = ["org.kde.StatusNotifierItem", name];
    const body = await call("/StatusNotifierItem", "org.freedesktop.DBus.Properties", "Get", "ss", args);
    return z.tuple([z.unknown()]).parse(body)[0];
  };
  const menuPath = async (): Promise<string> => z.string().parse(await property("Menu"));
  const menu = async (): Promise<readonly Entry[]> => {
    const body = await call(await menuPath(), "com.canonical.dbusmenu", "GetLayout", "iias", [0, -1, []]);
    const [, [, , children]] = layout.parse(body);
    return children.map(([id, properties]) => ({
      id,
      label: properties.label ?? "",
      enabled: properties.enabled ?? true,
      ticked: properties["toggle-state"] === 1,
    }));
  };

  return {
    icons: async () => (await living()).length,
    picture: async () =>
      createHash("sha256")
        .update(JSON.stringify(await property("IconPixmap")))
        .digest("hex"),
    tooltip: async () => JSON.stringify(await property("ToolTip")),
    menu,
    async click(label) {
      const entries = await menu();
      const entry = entries.find((e) => e.label === label);
      if (entry === undefined) throw new Error(`no "${label}" in: ${entries.map((e) => e.label).join(" | ")}`);
      const event = [entry.id, "clicked", new Variant("i", 0), 0];
      await call(await menuPath(), "com.canonical.dbusmenu", "Event", "isvu", event);
    },
    async close() {
      await bus.releaseName(watcherName);
      bus.disconnect();
    },
  };
}

const entrySchema = z.tuple([
  z.number(),
  z.object({ label: z.string(), enabled: z.boolean(), "toggle-state": z.number() }).partial(),
  z.array(z.unknown()),
]);
const layout = z.tuple([z.number(), z.tuple([z.number(), z.unknown(), z.array(entrySchema)])]);

class Watcher extends dbus.interface.Interface {
  readonly #registered: (service: string) => void;
  constructor(registered: (service: string) => void) {
    super(watcherName);
    this.#registered = registered;
  }
  RegisterStatusNotifierItem(service: string): void {
    this.#registered(service);
  }
  RegisterStatusNotifierHost(): void {
    // the panel is its own host
  }
  readonly IsStatusNotifierHostRegistered = true;
  readonly ProtocolVersion = 0;
  readonly RegisteredStatusNotifierItems: readonly string[] = [];
}
Watcher.configureMembers({
  methods: {
    RegisterStatusNotifierItem: { inSignature: "s", outSignature: "" },
    RegisterStatusNotifierHost: { inSignature: "s", outSignature: "" },
  },
  properties: {
    IsStatusNotifierHostRegistered: { signature: "b", access: "read" },
    ProtocolVersion: { signature: "i", access: "read" },
    RegisteredStatusNotifierItems: { signature: "as", access: "read" },
  },
});

/** Variants unwrapped, bytes as numbers: what remains is JSON. */
function plain(value: unknown): unknown {
  if (value instanceof Variant) return plain(value.value);
  if (Buffer.isBuffer(value)) return [...value];
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === "bigint") return Number(value);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, plain(one)]));
}
