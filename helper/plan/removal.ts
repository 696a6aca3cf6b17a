// What may be taken away that is not Culvert's: a foreign thing as it was read, on the user's word only.
import type { Address } from "../contract/prefix.ts";
import type { Operation } from "./diff.ts";
import { printOperation, protocolOf } from "./print.ts";

export type Removal =
  | Extract<Operation, { readonly kind: "rule.del" | "route.del" | "link.del" | "nexthop.del" | "address.del" }>
  | { readonly kind: "table.del"; readonly family: string; readonly name: string }
  /** Servers struck from a resolv.conf; where none would be left, `instead` takes their place. */
  | {
      readonly kind: "names.drop";
      readonly path: string;
      readonly servers: readonly Address[];
      readonly instead: Address | null;
    }
  /** What a program told resolvconf of a link that is gone. */
  | { readonly kind: "names.record"; readonly record: string };

export function printRemoval(thing: Removal): string {
  switch (thing.kind) {
    case "table.del":
      return `nft delete table ${thing.family} ${thing.name}`;
    case "names.record":
      return `resolvconf -d ${thing.record} -f`;
    case "names.drop": {
      const struck = thing.servers.map((server) => `-e '/^nameserver ${server}$/d'`);
      const added = thing.instead === null ? [] : [`-e '$a nameserver ${thing.instead}'`];
      return ["sed -i", ...struck, ...added, thing.path].join(" ");
    }
    default:
      return printOperation(thing);
  }
}

/** The command that would bring it back; null: only its own program can make it anew. */
export function printReturn(thing: Removal): string | null {
  switch (thing.kind) {
    case "rule.del":
      return printOperation(thing).replace(" rule del ", " rule add ");
    case "route.del": {
      const { protocol, src, legs, type } = thing.route;
      const onlink = type === "unicast" && legs[0]?.onlink === true ? " onlink" : "";
      const back = printOperation(thing).replace(" route del ", " route add ");
      return `${back}${onlink}${src === null ? "" : ` src ${src}`} proto ${protocolOf(protocol)}`;
    }
    default:
      return null;
  }
}
