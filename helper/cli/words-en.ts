// English.
import type { Catalogue } from "./words.ts";

export const en: Catalogue = {
  sentences: {
    usage: `Usage: culvert VERB [--json] [--socket PATH]
  up [NODE]              connect; without a node, to the one used last
  down                   disconnect and restore this machine
  status                 where this machine's traffic goes
  nodes                  list the nodes
  import FILE [--name N] add a node from a WireGuard configuration file
  remove NODE            forget a node and its keys
  plan [NODE]            show what would be done, as ip and nft text
  policy [get|set FILE]  show or save the policy
  reset                  undo everything, whatever the state
  watch                  show every change of state as it comes`,
    connecting: "Connecting to {node}…",
    imported: "Added {node}.",
    ignored:
      "Line {line}: {word} is an order to wg-quick's own routing; your policy decides that here, so it has no effect.",
    removed: "Forgot {node} and its keys.",
    reset: "Everything is undone. The machine is as it was.",
    "no-nodes": "There are no nodes yet. Add one: culvert import FILE",
  },
  states: {
    off: "Off. Your traffic leaves this machine in the open.",
    connecting: "Connecting to {node} ({endpoint}).",
    connected: "Connected. Your traffic goes through {node} ({endpoint}).",
    switching: "Switching from {from} to {to}. Nothing leaves beside the tunnel.",
    locked: "Locked: nothing leaves this machine beside the tunnel to {node}. {why}",
    failed: "Off. Connecting to {node} did not work: {why}",
  },
  causes: {
    "engine-died": "The tunnel's engine stopped; a new one is being started.",
    "adapter-gone": "The tunnel's adapter was removed; it is being made again.",
    "node-silent": "The node does not answer; it is asked again and again.",
    "uplink-lost": "This machine has no way out at the moment.",
    "plan-broken": "What holds the lock could not be laid as planned. `culvert reset` undoes everything.",
    "helper-restarted": "The helper was restarted and is connecting again.",
    fight: "Another program keeps changing the routes or the firewall. Stop it, then connect again.",
  },
  ipv6: { carried: "through the tunnel", blocked: "blocked", absent: "not on this machine", open: "in the open" },
  lines: {
    uplinks: "Way out",
    inside: "Address in the tunnel",
    "seen-as": "Seen from outside as",
    dns: "Names are asked of",
    ipv6: "IPv6",
    direct: "Beside the tunnel by your policy",
    drift: "Changed by another program and mended",
    "stand-in": "The engine is wireguard-go, which stands in for Culvert's own.",
    proven: "The plan is proven.",
    unproven: "The plan is not proven.",
  },
  refusals: {
    "conf.too-big": "The file is too big: a configuration file has at most 64 KiB.",
    "conf.not-text": "This cannot be read as a text file. {text}",
    "conf.no-interface": "The file has no [Interface] section.",
    "conf.no-peer": "The file has no [Peer] section.",
    "conf.too-many-peers": "Line {line}: a second [Peer]. A node is one peer.",
    "conf.unknown-section": "Line {line}: there is no section {text} in a WireGuard file.",
    "conf.unknown-key": "Line {line}: {text} does not belong there.",
    "conf.duplicate-key": "Line {line}: {text} is there twice.",
    "conf.bad-line": "Line {line} is not understood: {text}",
    "conf.bad-key": "Line {line}: {text} is not a key of 32 bytes in base64.",
    "conf.bad-address": "Line {line}: {text} is not an address a machine can have.",
    "conf.bad-prefix": "Line {line}: {text} is not a network prefix.",
    "conf.bad-number": "Line {line}: {text} is not a number that fits.",
    "conf.bad-mtu": "Line {line}: an MTU of {text} is impossible; it is between 576 and 65535.",
    "conf.bad-endpoint": "Line {line}: {text} is not a host and a port.",
    "conf.missing": "Line {line}: this section lacks {text}.",
    "conf.overlap": "Line {line}: {text} overlaps another address of the file.",
    "conf.command": "Line {line}: {text} would run a command as root. Such a file is refused whole; nothing was run.",
    "node.unknown": "There is no such node, or more than one: {node}",
    "node.exists": "This node is there already, as {name}.",
    "node.unreachable": "The node did not answer. The machine is as it was.",
    "node.in-use": "This node is in use. Disconnect first.",
    "node.name-not-found": "The name {name} was not found.",
    "machine.no-uplink": "This machine has no way out: no network is connected.",
    "machine.no-route": "This machine has no route to the node.",
    "machine.no-tun": "This machine has no {what}: the tun module is missing.",
    "machine.no-nft": "This kernel has no nf_tables, which the kill switch needs.",
    "machine.no-rights": "The helper lacks the rights to change routes and firewall.",
    "machine.no-ipv6": "This machine has no IPv6, and the node offers nothing else.",
    "machine.other-vpn": "{name} is up and cannot share the machine: disconnect it first. ({evidence})",
    "machine.engine-missing": "No engine is installed: neither Culvert's own nor {what}.",
    "machine.address-clash": "An address of the tunnel is in use on this machine: {address}",
    "machine.no-link": "There is no network device {name} on this machine.",
    "finding.unknown": "There is nothing of that name to repair: {id}",
    "policy.unsupported": "A rule cannot be done on this machine: {rule} {with}",
    "policy.dead-rule": "The rule {rule} can never match: {with} stands before it.",
    "policy.contradiction": "The rule {rule} contradicts {with}.",
    "policy.oversized-lan": "The local network claims {with}, which is public or too large. Approve it if you know it.",
    "plan.leaks": "The plan would let a packet out beside the tunnel ({property}), so it was not applied: {packet}",
    "plan.not-applied": "The system refused a change, and everything was undone: {doing} {on}: {errno}",
    "plan.read-back": "What was set did not read back as planned, and everything was undone: {on}",
    "plan.fight": "Another program keeps changing the same routes or rules.",
    "call.not-allowed": "You may not control Culvert: join the group culvert, or ask root.",
    "call.malformed": "The request is malformed. {at}",
    "call.too-big": "The request is too big.",
    "call.unknown": "The helper does not know this request: {call}",
    "call.version": "The helper speaks another version ({version}). Install both from one package.",
    "call.busy": "The helper has too many requests at once. Try again.",
    "call.not-now": "Something else was asked for in between.",
    "helper.not-running": "The helper is not running. Start it: systemctl start culvert",
    "helper.failed": "Something unexpected went wrong in the helper; its log says more.",
  },
};
